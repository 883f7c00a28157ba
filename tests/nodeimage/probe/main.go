// What the smoke test's pods run.
//
//	probe serve DIRECTORY    its files at port 8080; the clients' addresses are logged
//	probe get URL            prints what is there
//	probe lookup NAME        prints the addresses of a name
//	probe ping ADDRESS       whether something answers there, be it that nothing listens
//	probe read FILE          prints a file
//	probe webhook            a validating webhook that refuses objects with the label refuse=yes
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	argument := ""
	if len(os.Args) > 2 {
		argument = os.Args[2]
	}
	var err error
	switch os.Args[1] {
	case "serve":
		err = serve(argument)
	case "get":
		err = get(argument)
	case "lookup":
		var found []string
		if found, err = net.LookupHost(argument); err == nil {
			fmt.Println(found)
		}
	case "ping":
		_, err = net.DialTimeout("tcp", argument+":9", 5*time.Second)
		if errors.Is(err, syscall.ECONNREFUSED) {
			err = nil
		}
	case "read":
		var content []byte
		if content, err = os.ReadFile(argument); err == nil {
			fmt.Print(string(content))
		}
	case "webhook":
		http.HandleFunc("/", review)
		err = http.ListenAndServeTLS(":8443", "/tls/tls.crt", "/tls/tls.key", nil)
	default:
		err = fmt.Errorf("unknown: %s", os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
}

func serve(directory string) error {
	name := os.Getenv("NAME")
	if err := os.WriteFile(directory+"/index.html", []byte(name+"\n"), 0o644); err != nil {
		return err
	}
	log.Print("started")
	files := http.FileServer(http.Dir(directory))
	return http.ListenAndServe(":8080", http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		log.Print("from ", in.RemoteAddr)
		files.ServeHTTP(out, in)
	}))
}

func get(url string) error {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(os.Stdout, answer.Body)
	return err
}

func review(out http.ResponseWriter, in *http.Request) {
	var asked struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Request    struct {
			UID    string `json:"uid"`
			Object struct {
				Metadata struct {
					Labels map[string]string `json:"labels"`
				} `json:"metadata"`
			} `json:"object"`
		} `json:"request"`
	}
	if err := json.NewDecoder(in.Body).Decode(&asked); err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	json.NewEncoder(out).Encode(map[string]any{
		"apiVersion": asked.APIVersion,
		"kind":       asked.Kind,
		"response": map[string]any{
			"uid":     asked.Request.UID,
			"allowed": asked.Request.Object.Metadata.Labels["refuse"] != "yes",
			"status":  map[string]any{"message": "the webhook refuses it"},
		},
	})
}
