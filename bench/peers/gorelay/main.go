// Command gorelay is a relay of the usual design, for comparison: gorilla/websocket, a goroutine for each direction,
// message by message. Same URLs as streamrelay with opaque tokens.
package main

import (
	"errors"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	patience   = 30 * time.Second // that a leg waits for the other
	closeWait  = 5 * time.Second  // that a closing leg has for the closing handshake
	bufferSize = 32 * 1024        // of the tuned copying
)

// copyMessage is io.Copy, as the documentation of gorilla/websocket copies a message; or what -tuned makes of it.
var copyMessage = io.Copy

// upgrader pools its write buffers, as the same documentation advises for many connections that are idle.
var upgrader = websocket.Upgrader{
	HandshakeTimeout: 5 * time.Second,
	WriteBufferPool:  &sync.Pool{},
	CheckOrigin:      func(*http.Request) bool { return true },
}

// rendezvous is where the first leg of a pair waits.
type rendezvous struct {
	mutex   sync.Mutex
	waiting map[string]*seat
}

type seat struct {
	role string
	leg  *websocket.Conn
	met  chan *websocket.Conn
}

var errTaken = errors.New("a leg of this role waits already")

// meet gives the other leg if it waits, else puts this one there to wait.
func (r *rendezvous) meet(token, role string, leg *websocket.Conn) (*seat, *seat, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if other, ok := r.waiting[token]; ok {
		if other.role == role {
			return nil, nil, errTaken
		}
		delete(r.waiting, token)
		return nil, other, nil
	}
	mine := &seat{role, leg, make(chan *websocket.Conn, 1)}
	r.waiting[token] = mine
	return mine, nil, nil
}

func (r *rendezvous) leave(token string, mine *seat) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.waiting[token] != mine {
		return false
	}
	delete(r.waiting, token)
	return true
}

func (r *rendezvous) serve(role string) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		token := strings.TrimPrefix(request.URL.Path, "/"+role+"/")
		if len(token) < 22 || len(token) > 256 {
			http.Error(w, "this token is not valid here", http.StatusUnauthorized)
			return
		}
		leg, err := upgrader.Upgrade(w, request, nil)
		if err != nil {
			return
		}
		defer leg.Close()
		mine, other, err := r.meet(token, role, leg)
		if err != nil {
			return
		}
		if other != nil {
			log.Printf("stream opened: %s %s", role, request.RemoteAddr)
			other.met <- leg
			splice(leg, other.leg)
			return
		}
		timer := time.NewTimer(patience)
		select {
		case far := <-mine.met:
			timer.Stop()
			count := splice(leg, far)
			log.Printf("stream ended: %s, %d bytes", request.RemoteAddr, count)
		case <-timer.C:
			if !r.leave(token, mine) {
				splice(leg, <-mine.met)
			}
		}
	}
}

// splice copies messages from one leg to the other until either ends.
func splice(from, to *websocket.Conn) (count int64) {
	for {
		kind, reader, err := from.NextReader()
		if err != nil {
			break
		}
		writer, err := to.NextWriter(kind)
		if err != nil {
			break
		}
		n, err := copyMessage(writer, reader)
		count += n
		if err != nil {
			break
		}
		if err = writer.Close(); err != nil {
			break
		}
	}
	end := time.Now().Add(closeWait)
	_ = to.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), end)
	_ = to.SetReadDeadline(end)
	return count
}

// Buffers of the tuned copying are taken while a message goes through, so that idle pairs hold none.
var copyBuffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}

// copyTuned hides the writer's ReadFrom, which copies by pieces of the connection's own buffer (4 KiB): so large
// pieces go from socket to socket with one read, one copy and one write.
func copyTuned(writer io.Writer, reader io.Reader) (int64, error) {
	buffer := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buffer)
	return io.CopyBuffer(struct{ io.Writer }{writer}, reader, *buffer)
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8780", "address to listen on")
	listenTLS := flag.String("listen-tls", "", "address to listen on by TLS, as well")
	cert := flag.String("cert", "", "certificate in PEM form")
	key := flag.String("key", "", "its key")
	tuned := flag.Bool("tuned", false, "copy through pooled buffers of 32 KiB")
	flag.Parse()
	if *tuned {
		copyMessage = copyTuned
	}

	pairs := &rendezvous{waiting: map[string]*seat{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/agent/", pairs.serve("agent"))
	mux.HandleFunc("/client/", pairs.serve("client"))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	if *listenTLS != "" {
		port, err := net.Listen("tcp", *listenTLS)
		if err != nil {
			log.Fatal(err)
		}
		go func() { log.Fatal(server.ServeTLS(port, *cert, *key)) }()
	}
	port, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.Serve(port))
}
