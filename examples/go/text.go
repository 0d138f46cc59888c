package evrim

// #include <stdlib.h>
import "C"

import (
	"fmt"
	"strings"
	"unsafe"
)

// texts are C strings that live for one call. Any of them may be a secret.
type texts struct {
	made []unsafe.Pointer
	size []int
	err  error // of the first that can't be a C string
}

func (t *texts) add(name, text string) *C.char {
	if strings.IndexByte(text, 0) >= 0 {
		if t.err == nil {
			t.err = refused(ErrInvalidArgument, fmt.Sprintf("%s holds a NUL character", name))
		}
		return nil
	}
	made := C.CString(text)
	t.made = append(t.made, unsafe.Pointer(made))
	t.size = append(t.size, len(text))
	return made
}

// free wipes the strings and frees them.
func (t *texts) free() {
	for i, made := range t.made {
		clear(unsafe.Slice((*byte)(made), t.size[i]))
		C.free(made)
	}
	t.made = nil
}
