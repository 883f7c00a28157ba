package main

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// writeTree writes what is below a directory as a tar stream: sorted, root's, and of no time.
func writeTree(out io.Writer, directory string) error {
	stream := tar.NewWriter(out)
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == directory {
			return err
		}
		return writeEntry(stream, directory, path, entry)
	})
	if err != nil {
		return err
	}
	return stream.Close()
}

func writeEntry(stream *tar.Writer, directory, path string, entry fs.DirEntry) error {
	name, err := filepath.Rel(directory, path)
	if err != nil {
		return err
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	header := &tar.Header{Name: filepath.ToSlash(name), Mode: int64(info.Mode().Perm())}
	switch {
	case info.IsDir():
		header.Typeflag = tar.TypeDir
		header.Name += "/"
		return stream.WriteHeader(header)
	case info.Mode()&fs.ModeSymlink != 0:
		header.Typeflag = tar.TypeSymlink
		if header.Linkname, err = os.Readlink(path); err != nil {
			return err
		}
		return stream.WriteHeader(header)
	case info.Mode().IsRegular():
		header.Typeflag = tar.TypeReg
		header.Size = info.Size()
		if err := stream.WriteHeader(header); err != nil {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = io.Copy(stream, file)
		return err
	default:
		return fmt.Errorf("%s is neither a file nor a directory nor a symbolic link", path)
	}
}
