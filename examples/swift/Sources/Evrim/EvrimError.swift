import CEvrim

/// What went wrong.
public struct EvrimError: Error, CustomStringConvertible {
    public let status: Status
    /// For people; holds no secret.
    public let message: String
    /// nil if there was no answer.
    public let httpStatus: Int?
    /// The server's own, such as "token_not_valid".
    public let code: String?
    /// Under which the server logged the request.
    public let requestID: String?
    /// How long the server asks to wait, in milliseconds; nil if it did not say.
    public let retryAfterMilliseconds: Int64?
    /// Whether the same call may succeed later.
    public let isRetryable: Bool
    /// Whether the server may have acted on the request.
    public let mayHaveBeenSent: Bool
    /// The body of the answer.
    public let body: [UInt8]

    public var description: String {
        return message
    }

    /// Copies what the library tells about an error, and frees that.
    init(taking error: OpaquePointer?) {
        defer { evrim_error_free(error) }
        status = Status(evrim_error_status(error))
        message = copyString(evrim_error_message(error)) ?? ""
        let http = evrim_error_http_status(error)
        httpStatus = http == 0 ? nil : Int(http)
        code = copyString(evrim_error_server_code(error))
        requestID = copyString(evrim_error_request_id(error))
        let wait = evrim_error_retry_after_ms(error)
        retryAfterMilliseconds = wait < 0 ? nil : wait
        isRetryable = evrim_error_is_retryable(error)
        mayHaveBeenSent = evrim_error_may_have_been_sent(error)
        var length = 0
        let bytes = evrim_error_body(error, &length)
        body = Array(UnsafeBufferPointer(start: bytes, count: length))
    }

    /// For what never got as far as a request.
    init(status: Status, message: String) {
        self.status = status
        self.message = message
        httpStatus = nil
        code = nil
        requestID = nil
        retryAfterMilliseconds = nil
        isRetryable = false
        mayHaveBeenSent = false
        body = []
    }
}

/// The kind of a failure. Later versions of the library may have more of them.
public struct Status: Equatable, Sendable, CustomStringConvertible {
    public let rawValue: Int32

    init(_ status: evrim_status) {
        rawValue = Int32(truncatingIfNeeded: status.rawValue)
    }

    public var description: String {
        return copyString(evrim_status_name(rawValue)) ?? ""
    }

    public static let invalidArgument = Status(EVRIM_ERROR_INVALID_ARGUMENT)
    public static let invalidURL = Status(EVRIM_ERROR_INVALID_URL)
    public static let insecureURL = Status(EVRIM_ERROR_INSECURE_URL)
    public static let noCredentials = Status(EVRIM_ERROR_NO_CREDENTIALS)
    public static let noRefreshToken = Status(EVRIM_ERROR_NO_REFRESH_TOKEN)
    public static let cancelled = Status(EVRIM_ERROR_CANCELLED)
    public static let internalFault = Status(EVRIM_ERROR_INTERNAL)
    public static let network = Status(EVRIM_ERROR_NETWORK)
    public static let tls = Status(EVRIM_ERROR_TLS)
    public static let timeout = Status(EVRIM_ERROR_TIMEOUT)
    public static let protocolViolation = Status(EVRIM_ERROR_PROTOCOL)
    public static let redirect = Status(EVRIM_ERROR_REDIRECT)
    public static let tooLarge = Status(EVRIM_ERROR_TOO_LARGE)
    public static let io = Status(EVRIM_ERROR_IO)
    public static let authentication = Status(EVRIM_ERROR_AUTHENTICATION)
    public static let permission = Status(EVRIM_ERROR_PERMISSION)
    public static let notFound = Status(EVRIM_ERROR_NOT_FOUND)
    public static let conflict = Status(EVRIM_ERROR_CONFLICT)
    public static let rateLimited = Status(EVRIM_ERROR_RATE_LIMITED)
    public static let request = Status(EVRIM_ERROR_REQUEST)
    public static let server = Status(EVRIM_ERROR_SERVER)
}
