package server

import "testing"

func TestNoBackgroundWorkBeginsOnceTheServerCloses(t *testing.T) {
	var b background
	done := make(chan struct{})
	if !b.start(func() { <-done }) {
		t.Fatal("refused before the end")
	}
	closed := make(chan struct{})
	go func() {
		b.close()
		close(closed)
	}()
	select {
	case <-closed:
		t.Error("close did not wait for the work")
	default:
	}
	close(done)
	<-closed
	if b.start(func() { t.Error("ran after the end") }) {
		t.Error("not refused")
	}
}
