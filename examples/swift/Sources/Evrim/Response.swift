import CEvrim

/// An answer of the server. Any number of threads may read it. Its JSON is read by RFC 6901 pointers,
/// such as "/report/sections/0/title"; "" is the whole document. A pointer
/// ends at its first NUL character, as every C string does.
public final class Response: @unchecked Sendable {
    private let handle: OpaquePointer

    init(handle: OpaquePointer) {
        self.handle = handle
    }

    deinit {
        evrim_response_free(handle)
    }

    /// The HTTP status, such as 200.
    public var status: Int {
        return Int(evrim_response_status(handle))
    }

    /// A copy of the body.
    public var body: [UInt8] {
        var length = 0
        let bytes = evrim_response_body(handle, &length)
        return Array(UnsafeBufferPointer(start: bytes, count: length))
    }

    public func header(_ name: String) -> String? {
        return copyString(evrim_response_header(handle, name))
    }

    public func string(_ pointer: String) -> String? {
        return copyString(evrim_response_string(handle, pointer))
    }

    public func int(_ pointer: String) -> Int64? {
        var value: Int64 = 0
        return evrim_response_int(handle, pointer, &value) ? value : nil
    }

    public func double(_ pointer: String) -> Double? {
        var value: Double = 0
        return evrim_response_double(handle, pointer, &value) ? value : nil
    }

    public func bool(_ pointer: String) -> Bool? {
        var value = false
        return evrim_response_bool(handle, pointer, &value) ? value : nil
    }

    /// The number of items of the array, or of members of the object, at a pointer.
    public func count(_ pointer: String) -> Int {
        return Int(evrim_response_count(handle, pointer))
    }
}
