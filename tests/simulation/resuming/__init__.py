"""One stream that resumes, simulated: production classes at both of its ends, whose legs break at any byte."""
