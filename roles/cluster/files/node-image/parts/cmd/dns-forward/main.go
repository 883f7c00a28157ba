// dns-forward answers DNS queries on an address that pods can reach by what the node's own servers say.
//
// Docker's DNS server listens on 127.0.0.11 of the node, which from a pod is the pod itself.
package main

import (
	"bufio"
	"errors"
	"flag"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"time"
)

const (
	patience   = 5 * time.Second // for one server's answer
	idle       = 30 * time.Second
	atOnce     = 1024 // queries under way; more wait in the socket
	datagram   = 65535
	serverPort = "53"
)

func main() {
	log.SetFlags(0)
	listen := flag.String("listen", "", "the address to answer at, HOST:PORT")
	resolvConf := flag.String("resolv-conf", "/etc/resolv.conf", "names the servers to ask")
	port := flag.String("server-port", serverPort, "where those servers listen")
	flag.Parse()

	forwarder := forwarder{resolvConf: *resolvConf, port: *port, places: make(chan struct{}, atOnce)}
	packets, err := net.ListenPacket("udp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	connections, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	failed := make(chan error, 2)
	go func() { failed <- forwarder.serveUDP(packets) }()
	go func() { failed <- forwarder.serveTCP(connections) }()
	log.Fatal(<-failed)
}

type forwarder struct {
	resolvConf string
	port       string
	places     chan struct{}
}

// servers reads resolv.conf for each query: Docker rewrites it when networks are joined or left.
func (f *forwarder) servers() ([]string, error) {
	file, err := os.Open(f.resolvConf)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	found := []string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 1 && fields[0] == "nameserver" {
			found = append(found, net.JoinHostPort(fields[1], f.port))
		}
	}
	if len(found) == 0 {
		return nil, errors.New(f.resolvConf + " names no server")
	}
	return found, nil
}

func (f *forwarder) serveUDP(packets net.PacketConn) error {
	buffer := make([]byte, datagram)
	for {
		length, client, err := packets.ReadFrom(buffer)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			continue // an ICMP error of an earlier answer
		}
		query := append([]byte{}, buffer[:length]...)
		f.places <- struct{}{}
		go func() {
			defer func() { <-f.places }()
			if answer, err := f.ask(query); err == nil {
				packets.WriteTo(answer, client) //nolint:errcheck // the client is gone, and asks again
			}
		}()
	}
}

// ask passes one query to each server in turn until one answers.
func (f *forwarder) ask(query []byte) ([]byte, error) {
	servers, err := f.servers()
	if err != nil {
		return nil, err
	}
	for _, server := range servers {
		var answer []byte
		if answer, err = exchange(server, query); err == nil {
			return answer, nil
		}
	}
	return nil, err
}

func exchange(server string, query []byte) ([]byte, error) {
	connection, err := net.DialTimeout("udp", server, patience)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if _, err := connection.Write(query); err != nil {
		return nil, err
	}
	answer := make([]byte, datagram)
	length, err := connection.Read(answer)
	return answer[:length], err
}

func (f *forwarder) serveTCP(connections net.Listener) error {
	for {
		client, err := connections.Accept()
		if err != nil {
			return err
		}
		f.places <- struct{}{}
		go func() {
			defer func() { <-f.places }()
			defer client.Close()
			f.relay(client)
		}()
	}
}

// relay joins a client's connection to the first server that accepts one.
func (f *forwarder) relay(client net.Conn) {
	servers, err := f.servers()
	if err != nil {
		return
	}
	for _, address := range servers {
		server, err := net.DialTimeout("tcp", address, patience)
		if err != nil {
			continue
		}
		defer server.Close()
		deadline := time.Now().Add(idle)
		client.SetDeadline(deadline) //nolint:errcheck // only fails on a closed connection
		server.SetDeadline(deadline) //nolint:errcheck
		go func() {
			io.Copy(server, client)            //nolint:errcheck // either end may hang up
			server.(*net.TCPConn).CloseWrite() //nolint:errcheck
		}()
		io.Copy(client, server) //nolint:errcheck
		return
	}
}
