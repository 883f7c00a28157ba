// A validating webhook that refuses every object with the label refuse=yes.
package main

import (
	"encoding/json"
	"log"
	"net/http"
)

type review struct {
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

func main() {
	http.HandleFunc("/", func(out http.ResponseWriter, in *http.Request) {
		asked := review{}
		if err := json.NewDecoder(in.Body).Decode(&asked); err != nil {
			http.Error(out, err.Error(), http.StatusBadRequest)
			return
		}
		refused := asked.Request.Object.Metadata.Labels["refuse"] == "yes"
		log.Printf("%s: refused=%v", asked.Request.UID, refused)
		json.NewEncoder(out).Encode(map[string]any{
			"apiVersion": asked.APIVersion,
			"kind":       asked.Kind,
			"response": map[string]any{
				"uid":     asked.Request.UID,
				"allowed": !refused,
				"status":  map[string]any{"message": "the webhook refuses it"},
			},
		})
	})
	log.Fatal(http.ListenAndServeTLS(":8443", "/tls/tls.crt", "/tls/tls.key", nil))
}
