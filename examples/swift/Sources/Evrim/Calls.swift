import CEvrim

/// A place where the library puts a handle.
typealias Place = UnsafeMutablePointer<OpaquePointer?>

/// Makes a call and throws its error.
func check(_ call: (Place) -> evrim_status) throws {
    var error: OpaquePointer?
    let status = call(&error)
    if status != EVRIM_OK {
        throw EvrimError(taking: error)
    }
}

/// The same for a call that makes something.
func make(_ call: (Place, Place) -> evrim_status) throws -> OpaquePointer {
    var made: OpaquePointer?
    var error: OpaquePointer?
    let status = call(&made, &error)
    guard status == EVRIM_OK, let result = made else {
        throw EvrimError(taking: error)
    }
    return result
}

/// A C string ends at its first NUL: a text that holds one would be cut short without a word.
func checkText(_ texts: [String]) throws {
    for text in texts where text.utf8.contains(0) {
        throw EvrimError(status: .invalidArgument, message: "a text holds a NUL character")
    }
}

func withOptionalCString<Result>(
    _ text: String?, _ body: (UnsafePointer<CChar>?) throws -> Result
) rethrows -> Result {
    guard let text = text else {
        return try body(nil)
    }
    return try text.withCString { try body($0) }
}

/// A copy of a string that the library lends.
func copyString(_ text: UnsafePointer<CChar>?) -> String? {
    guard let text = text else {
        return nil
    }
    return String(cString: text)
}

/// A copy of a string that the library made; its own is wiped and freed.
func takeString(_ text: UnsafeMutablePointer<CChar>?) -> String? {
    guard let text = text else {
        return nil
    }
    defer { evrim_string_free(text) }
    return String(cString: text)
}
