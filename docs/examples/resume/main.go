// Connects standard input and output to a target through the platform, and goes on where it was when its websocket is
// lost. It is written from docs/protocol.rst alone: stream.go is "Streams that resume", this file is the rest.
//
//	STREAMRELAY_KEY=srk_… go run . https://platform.example HOST TARGET
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/coder/websocket"
)

func fail(words ...any) {
	fmt.Fprintln(os.Stderr, words...)
	os.Exit(1)
}

// read keeps standard input, 4 MiB of it at most until the other end confirms some.
func (s *stream) read() {
	buffer := make([]byte, 64<<10)
	for err := error(nil); err == nil; {
		var n int
		n, err = os.Stdin.Read(buffer)
		s.Lock()
		if s.out.bytes = append(s.out.bytes, buffer[:n]...); err != nil {
			s.out.say(`{"fin":true}`)
			s.finish()
		}
		s.changed.Broadcast()
		for s.out.end()-s.confirmed >= 4<<20 {
			s.changed.Wait()
		}
		s.Unlock()
	}
}

// write writes what came. Legs are read meanwhile, however long that takes, as acks come behind bytes.
func (s *stream) write() {
	for s.Lock(); ; s.changed.Broadcast() {
		for s.in.begin == s.in.end() {
			s.changed.Wait()
		}
		words, bytes := s.in.at(s.in.begin)
		s.Unlock()
		if words == "" {
			if _, err := os.Stdout.Write(bytes); err != nil {
				fail(err)
			}
		}
		s.Lock()
		if words == "" {
			s.in.forget(s.in.begin + int64(len(bytes)))
		} else if s.in.forget(s.in.begin + 1); s.take(words) {
			os.Stdout.Close()
		}
	}
}

// send sends by one leg all that the other end hasn't, and closes it once the stream is over.
func (s *stream) send(ctx context.Context, leg *websocket.Conn) {
	s.Lock()
	defer s.Unlock()
	for sent := s.out.begin; ctx.Err() == nil; {
		words, bytes, then := s.next(sent)
		code := s.over.Code
		if words == "" && bytes == nil && code == 0 {
			s.changed.Wait()
			continue
		}
		s.Unlock()
		var err error
		if words != "" {
			err = leg.Write(ctx, websocket.MessageText, []byte(words))
		} else if bytes != nil {
			err = leg.Write(ctx, websocket.MessageBinary, bytes)
		} else {
			err = leg.Close(websocket.StatusCode(code), "")
		}
		if s.Lock(); err != nil {
			leg.CloseNow()
			return
		}
		sent = then
	}
}

// receive takes what one leg brings until it is lost; of a message that was cut off its bytes count as far as they came.
func (s *stream) receive(ctx context.Context, leg *websocket.Conn) error {
	buffer := make([]byte, 64<<10)
	for {
		kind, part, err := leg.Reader(ctx)
		for n := 0; err == nil; {
			if kind == websocket.MessageText {
				var words []byte
				if words, err = io.ReadAll(part); err == nil {
					s.Lock()
					s.hear(words)
					s.Unlock()
					err = io.EOF
				}
			} else {
				n, err = part.Read(buffer)
				s.Lock()
				s.in.bytes = append(s.in.bytes, buffer[:n]...)
				s.Unlock()
			}
			s.changed.Broadcast()
		}
		if err != io.EOF {
			return err
		}
	}
}

// alive cuts a leg whose relay answers no pings.
func alive(ctx context.Context, leg *websocket.Conn) {
	for ctx.Err() == nil {
		limit, stop := context.WithTimeout(ctx, 45*time.Second)
		if leg.Ping(limit) != nil {
			leg.CloseNow()
		}
		stop()
		time.Sleep(20 * time.Second)
	}
}

// leg goes on by a websocket until it is lost, and tells whether there was one.
func (s *stream) leg(url string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	leg, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{Subprotocols: []string{"streamrelay.v1"}})
	if cancel(); err != nil {
		return false
	}
	leg.SetReadLimit(-1)
	ctx, cancel = context.WithCancel(context.Background())
	s.acked = 0 // the last ack may be lost
	go s.send(ctx, leg)
	go alive(ctx, leg)
	err = s.receive(ctx, leg)
	cancel()
	leg.CloseNow()
	s.Lock()
	defer s.Unlock()
	s.changed.Broadcast()
	for s.ended && s.over.Code == 0 { // all that came before the end is still to be written
		s.changed.Wait()
	}
	switch code := websocket.CloseStatus(err); code {
	case 4001, 4002, 4003, 4006, 4008, 4009, 4011:
		fail(err)
	}
	if s.over.Code == 1000 {
		os.Exit(s.status)
	} else if s.over.Code != 0 {
		fail(s.over.Code, s.over.Reason)
	}
	return true
}

// An answer is what the platform says to a request.
type answer struct {
	Stream, URL, Detail string
	Received            int64
	Resume, Again       float64
}

// ask sends the platform a request.
func ask(path string, body map[string]any) (int, answer) {
	words, _ := json.Marshal(body)
	request, err := http.NewRequest("POST", os.Args[1]+path, bytes.NewReader(words))
	if err != nil {
		fail(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("STREAMRELAY_KEY"))
	request.Header.Set("Content-Type", "application/json")
	response, err := (&http.Client{Timeout: 15 * time.Second}).Do(request)
	if err != nil {
		return 0, answer{Detail: err.Error()}
	}
	defer response.Body.Close()
	var told answer
	json.NewDecoder(response.Body).Decode(&told)
	told.Again, _ = strconv.ParseFloat(response.Header.Get("Retry-After"), 64)
	return response.StatusCode, told
}

func seconds(count float64) time.Duration { return time.Duration(count * float64(time.Second)) }

func main() {
	if len(os.Args) != 4 {
		fail("what is needed: PLATFORM HOST TARGET, and STREAMRELAY_KEY")
	}
	status, opened := ask("/v1/streams", map[string]any{"host": os.Args[2], "target": os.Args[3], "resume": true})
	if status != 201 || opened.Resume <= 0 {
		fail(status, opened.Detail, "resume:", opened.Resume)
	}
	s := newStream()
	go s.read()
	go s.write()
	go func() {
		for range time.Tick(time.Second) {
			s.Lock()
			s.due = true
			s.Unlock()
			s.changed.Broadcast()
		}
	}()
	for try, wait, lost, url := 1, 0.0, time.Now(), opened.URL; ; try++ {
		began := time.Now()
		if url != "" && s.leg(url) {
			lost = time.Now()
		}
		if lost.Sub(began) > 5*time.Second {
			wait = 0
		}
		time.Sleep(seconds(wait * (1 - rand.Float64()/2)))
		wait = math.Min(math.Max(1.25*wait, 0.2), 10)
		status, told := ask("/v1/streams/"+opened.Stream+"/resume",
			map[string]any{"host": os.Args[2], "target": os.Args[3], "received": s.in.end(), "try": try})
		url = told.URL
		if s.Lock(); status == 201 {
			s.out.forget(told.Received)
		}
		s.Unlock()
		switch status {
		case 400, 401, 403, 404, 405, 410: // never
			fail(status, told.Detail)
		}
		if time.Since(lost) > seconds(opened.Resume) {
			fail("lost for", opened.Resume, "s:", status, told.Detail)
		}
		time.Sleep(seconds(told.Again)) // not now
	}
}
