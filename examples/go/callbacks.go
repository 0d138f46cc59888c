package evrim

// #include "callbacks.h"
import "C"

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/cgo"
	"runtime/debug"
	"time"
)

//export evrimgoLog
func evrimgoLog(handle C.uintptr_t, level C.int32_t, subject, message *C.char) {
	guarded(func() {
		logger := cgo.Handle(handle).Value().(*slog.Logger)
		if level := logLevel(level); logger.Enabled(context.Background(), level) {
			logger.Log(context.Background(), level, C.GoString(message), "subject", C.GoString(subject))
		}
	})
}

//export evrimgoTokens
func evrimgoTokens(handle C.uintptr_t, access, refresh *C.char, expiresAt C.int64_t) {
	guarded(func() {
		tell := cgo.Handle(handle).Value().(func(string, string, time.Time))
		tell(C.GoString(access), C.GoString(refresh), unixTime(expiresAt))
	})
}

//export evrimgoRelease
func evrimgoRelease(handle C.uintptr_t) {
	cgo.Handle(handle).Delete()
}

// guarded runs a callback that the library called. A panic that someone recovers further up would skip
// the library's frames on the stack and leave it half-way; so would Goexit. Neither gets out of here.
func guarded(callback func()) {
	returned := false
	defer func() {
		if !returned {
			report := fmt.Sprintf("evrim: a callback did not return: %v\n\n%s", recover(), debug.Stack())
			go panic(report)
			select {}
		}
	}()
	callback()
	returned = true
}

func logLevel(level C.int32_t) slog.Level {
	switch level {
	case C.EVRIM_LOG_ERROR:
		return slog.LevelError
	case C.EVRIM_LOG_WARN:
		return slog.LevelWarn
	case C.EVRIM_LOG_INFO:
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}
