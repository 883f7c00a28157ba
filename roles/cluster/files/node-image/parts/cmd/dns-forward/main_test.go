package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// listen opens one port for both protocols. One that is free for packets may be in use for
// connections: then another is tried, where the address does not name one.
func listen(t *testing.T, address string) (net.PacketConn, net.Listener) {
	t.Helper()
	for attempt := 1; ; attempt++ {
		packets, err := net.ListenPacket("udp", address)
		if err != nil {
			t.Skipf("no second loopback address here: %v", err)
		}
		connections, err := net.Listen("tcp", packets.LocalAddr().String())
		if err == nil {
			t.Cleanup(func() { packets.Close(); connections.Close() })
			return packets, connections
		}
		packets.Close()
		if attempt == 20 || !strings.HasSuffix(address, ":0") {
			t.Fatal(err)
		}
	}
}

// echoServer answers every query with its own name before what was asked, on UDP and TCP.
func echoServer(t *testing.T, address, name string) (port string) {
	t.Helper()
	packets, connections := listen(t, address)
	_, port, _ = net.SplitHostPort(packets.LocalAddr().String())
	go func() {
		buffer := make([]byte, datagram)
		for {
			length, client, err := packets.ReadFrom(buffer)
			if err != nil {
				return
			}
			packets.WriteTo([]byte(name+" "+string(buffer[:length])), client)
		}
	}()
	go func() {
		for {
			client, err := connections.Accept()
			if err != nil {
				return
			}
			query, _ := io.ReadAll(client)
			client.Write([]byte(name + " " + string(query)))
			client.Close()
		}
	}()
	return port
}

// start runs a forwarder over a resolv.conf with the given servers and gives its address.
func start(t *testing.T, port string, servers ...string) (address, resolvConf string) {
	t.Helper()
	resolvConf = filepath.Join(t.TempDir(), "resolv.conf")
	write(t, resolvConf, servers...)
	packets, connections := listen(t, "127.0.0.1:0")
	address = packets.LocalAddr().String()
	running := forwarder{resolvConf: resolvConf, port: port, places: make(chan struct{}, 2)}
	go running.serveUDP(packets)
	go running.serveTCP(connections)
	return address, resolvConf
}

func write(t *testing.T, resolvConf string, servers ...string) {
	t.Helper()
	content := "search example\n"
	for _, server := range servers {
		content += "nameserver " + server + "\n"
	}
	if err := os.WriteFile(resolvConf, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func ask(t *testing.T, network, address, query string) string {
	t.Helper()
	connection, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := connection.Write([]byte(query)); err != nil {
		t.Fatal(err)
	}
	if stream, ok := connection.(*net.TCPConn); ok {
		stream.CloseWrite()
	}
	answer := make([]byte, datagram)
	length, err := connection.Read(answer)
	if err != nil {
		t.Fatalf("%s: %v", network, err)
	}
	return string(answer[:length])
}

func TestAnswersOfTheServer(t *testing.T) {
	port := echoServer(t, "127.0.0.1:0", "one")
	address, _ := start(t, port, "127.0.0.1")
	for _, network := range []string{"udp", "tcp"} {
		for range 5 { // more than there are places: each is given back
			if got := ask(t, network, address, "query"); got != "one query" {
				t.Errorf("%s: got %q", network, got)
			}
		}
	}
}

func TestAnswersLargerThanAnEthernetFrame(t *testing.T) {
	port := echoServer(t, "127.0.0.1:0", "one")
	address, _ := start(t, port, "127.0.0.1")
	query := strings.Repeat("x", 4000)
	if got := ask(t, "udp", address, query); got != "one "+query {
		t.Errorf("got %d bytes", len(got))
	}
}

func TestTheNextServerWhereOneRefuses(t *testing.T) {
	port := echoServer(t, "127.0.0.1:0", "one")
	address, _ := start(t, port, "127.0.0.9", "127.0.0.1")
	for _, network := range []string{"udp", "tcp"} {
		if got := ask(t, network, address, "query"); got != "one query" {
			t.Errorf("%s: got %q", network, got)
		}
	}
}

func TestServersThatAreNamedLater(t *testing.T) {
	port := echoServer(t, "127.0.0.1:0", "one")
	address, resolvConf := start(t, port, "127.0.0.9")
	write(t, resolvConf, "127.0.0.1")
	if got := ask(t, "udp", address, "query"); got != "one query" {
		t.Errorf("got %q", got)
	}
}
