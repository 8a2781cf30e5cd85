"""Tests of streams that outlive their legs."""
