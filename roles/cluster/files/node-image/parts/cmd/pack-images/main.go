// pack-images writes an OCI archive of images whose layers are directories.
//
//	pack-images ARCHIVE < IMAGES
//
// Each line of IMAGES is one image: its NAME, its ENTRYPOINT or -, and the directories that are its
// layers, from the lowest up. A directory that several images name is one layer, stored once. The same
// input gives the same archive.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("pack-images: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: pack-images ARCHIVE < IMAGES")
	}
	if err := run(os.Args[1], os.Stdin); err != nil {
		log.Fatal(err)
	}
}

func run(path string, lines io.Reader) error {
	images, err := readImages(lines)
	if err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	archive := newArchive(file)
	for _, image := range images {
		if err := archive.add(image); err != nil {
			return fmt.Errorf("%s: %w", image.name, err)
		}
	}
	return errors.Join(archive.finish(), file.Close())
}

type image struct {
	name       string
	entrypoint []string
	layers     []string // directories
}

func readImages(lines io.Reader) ([]image, error) {
	images := []image{}
	scanner := bufio.NewScanner(lines)
	for scanner.Scan() {
		fields := strings.Fields(scanner.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) < 3 {
			return nil, fmt.Errorf("%q: wanted is NAME ENTRYPOINT|- DIRECTORY...", scanner.Text())
		}
		read := image{name: fields[0], layers: fields[2:]}
		if fields[1] != "-" {
			read.entrypoint = []string{fields[1]}
		}
		images = append(images, read)
	}
	return images, scanner.Err()
}
