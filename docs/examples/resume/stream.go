package main

import (
	"encoding/json"
	"fmt"
	"sync"
)

// A queue is one direction of a stream, from one position to another. Each control message has the place of one byte.
type queue struct {
	begin   int64
	bytes   []byte
	control map[int64]string
}

func (q *queue) end() int64 { return q.begin + int64(len(q.bytes)) }

func (q *queue) say(message string) {
	q.control[q.end()] = message
	q.bytes = append(q.bytes, 0)
}

// at is what stands at a position: a control message, or bytes up to the next one.
func (q *queue) at(position int64) (message string, bytes []byte) {
	if message, found := q.control[position]; found {
		return message, nil
	}
	end := q.end()
	if end > position+16<<10 {
		end = position + 16<<10
	}
	for each := range q.control {
		if each > position && each < end {
			end = each
		}
	}
	return "", q.bytes[position-q.begin : end-q.begin]
}

// forget drops all before a position.
func (q *queue) forget(position int64) {
	if position < q.begin || position > q.end() {
		fail(fmt.Sprintf("position %d is not one from %d to %d", position, q.begin, q.end()))
	}
	for each := range q.control {
		if each < position {
			delete(q.control, each)
		}
	}
	q.bytes, q.begin = q.bytes[position-q.begin:], position
}

// A stream outlives its legs: it knows what the other end may lack, and what is still to be written here.
type stream struct {
	sync.Mutex
	changed   *sync.Cond
	out       queue // from what the other end has received on
	confirmed int64 // the other end is done with all before
	in        queue // from what was written to what was received
	acked     int64
	due       bool // an ack is, for anything
	fins      int
	ended     bool // the other end has said so
	over      end  // with a code, when it is over
	status    int
}

// An end is why a stream is over: a close code, and words.
type end struct {
	Code   int
	Reason string
}

// A message is the control messages that matter here; the first five stand alone and count nothing.
type message struct {
	Ack                   *int64
	Hold, Met, Ping, Pong any
	Fin                   bool
	Exit                  int
	End                   *end
}

func newStream() *stream {
	s := &stream{out: queue{control: map[int64]string{}}, in: queue{control: map[int64]string{}}}
	s.changed = sync.NewCond(s)
	return s
}

// finish notes a fin. After one of both directions the stream is over for this end, once the other one confirms that.
func (s *stream) finish() {
	if s.fins++; s.fins == 2 {
		s.out.say(`{"end":{"code":1000,"reason":""}}`)
	}
}

// hear takes a control message: an ack at once, and what counts waits for all that came before it.
func (s *stream) hear(words []byte) {
	var came message
	if json.Unmarshal(words, &came) != nil {
		fail("no control message:", string(words))
	}
	if came.Ack == nil && came.Hold == nil && came.Met == nil && came.Ping == nil && came.Pong == nil {
		s.ended = s.ended || came.End != nil
		s.in.say(string(words))
	} else if came.Ack != nil && *came.Ack > s.confirmed {
		if s.confirmed = *came.Ack; s.confirmed > s.out.begin {
			s.out.forget(s.confirmed)
		}
		if s.fins == 2 && s.confirmed == s.out.end() {
			s.over.Code = 1000
		}
	}
}

// take is a control message whose turn it is; it tells whether this was the last but an end.
func (s *stream) take(words string) bool {
	var came message
	json.Unmarshal([]byte(words), &came)
	s.status |= came.Exit
	if came.Fin {
		s.finish()
	}
	if came.End != nil {
		s.over = *came.End
	}
	return came.Fin
}

// next is what to send, if there is anything, where all before a position was sent; and the position after it. An ack
// goes first: each 256 KiB, each second, and at once for an end.
func (s *stream) next(sent int64) (message string, bytes []byte, then int64) {
	if more := s.in.begin - s.acked; more >= 256<<10 || more > 0 && (s.due || s.over.Code != 0) {
		s.acked, s.due = s.in.begin, false
		return fmt.Sprintf(`{"ack":%d}`, s.acked), nil, sent
	}
	if sent == s.out.end() {
		return "", nil, sent
	}
	if message, bytes = s.out.at(sent); message != "" {
		return message, nil, sent + 1
	}
	return "", bytes, sent + int64(len(bytes))
}
