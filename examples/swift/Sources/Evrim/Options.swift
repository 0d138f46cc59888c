import CEvrim

/// What can be chosen for a client. nil is the library's default.
public struct Options {
    /// How long one attempt may take.
    public var timeoutMilliseconds: UInt32?
    public var connectTimeoutMilliseconds: UInt32?
    /// How long one call may take, retries and waiting included.
    public var totalTimeoutMilliseconds: UInt32?
    /// A PEM file of authorities that are trusted besides the system's.
    public var caFile: String?
    public var retries: UInt32?
    public var userAgent: String?
    /// Sent with every request.
    public var headers: [String: String] = [:]
    /// Whether an access token that a client starts from is shown to the server first.
    public var validateOnStart: Bool?
    public var autoRenew: Bool?
    /// Called with the tokens whenever they were replaced, on the thread whose call led to that: access
    /// token, refresh token, and the end in seconds since 1970. It must not hold its client strongly.
    public var onTokens: ((String, String?, Int64?) -> Void)?
    /// Called with log lines: an `evrim_log_level` from 1, an error, to 4, every request; the subject; and
    /// the message. Calls may come from several threads at once.
    public var onLog: ((Int32, String, String) -> Void)?

    public init() {}

    /// Runs `body` with these options as the library knows them.
    func use<Result>(_ body: (OpaquePointer) throws -> Result) throws -> Result {
        guard let options = evrim_options_new() else {
            throw EvrimError(status: .io, message: "there is not enough memory left")
        }
        defer { evrim_options_free(options) }
        try apply(to: options)
        return try body(options)
    }

    private func apply(to options: OpaquePointer) throws {
        if let timeout = timeoutMilliseconds {
            try accept("timeout", evrim_options_set_timeout_ms(options, timeout))
        }
        if let timeout = connectTimeoutMilliseconds {
            try accept("connect timeout", evrim_options_set_connect_timeout_ms(options, timeout))
        }
        if let timeout = totalTimeoutMilliseconds {
            try accept("total timeout", evrim_options_set_total_timeout_ms(options, timeout))
        }
        if let path = caFile {
            try checkText([path])
            try accept("CA file", evrim_options_set_ca_file(options, path))
        }
        if let retries = retries {
            try accept("number of retries", evrim_options_set_retries(options, retries))
        }
        if let name = userAgent {
            try checkText([name])
            try accept("user agent", evrim_options_set_user_agent(options, name))
        }
        for (name, value) in headers {
            try checkText([name, value])
            try accept("header \(name)", evrim_options_set_header(options, name, value))
        }
        if let validate = validateOnStart {
            try accept("choice", evrim_options_set_validate_on_start(options, validate))
        }
        if let renew = autoRenew {
            try accept("choice", evrim_options_set_auto_renew(options, renew))
        }
        if let tell = onTokens {
            try setTokens(tell, on: options)
        }
        if let tell = onLog {
            try setLog(tell, on: options)
        }
    }
}

/// Throws when the library refused an option.
private func accept(_ name: String, _ status: evrim_status) throws {
    if status != EVRIM_OK {
        throw EvrimError(status: Status(status), message: "the library refuses this \(name)")
    }
}

/// What the library holds of a Swift function, by one retain that `release` takes back.
private final class TokenListener {
    let tell: (String, String?, Int64?) -> Void

    init(_ tell: @escaping (String, String?, Int64?) -> Void) {
        self.tell = tell
    }
}

private final class LogListener {
    let tell: (Int32, String, String) -> Void

    init(_ tell: @escaping (Int32, String, String) -> Void) {
        self.tell = tell
    }
}

private func setTokens(
    _ tell: @escaping (String, String?, Int64?) -> Void, on options: OpaquePointer
) throws {
    let listener = Unmanaged.passRetained(TokenListener(tell))
    let status = evrim_options_set_token_callback(
        options,
        { data, access, refresh, end in
            guard let data = data, let access = access else {
                return
            }
            let listener = Unmanaged<TokenListener>.fromOpaque(data).takeUnretainedValue()
            listener.tell(String(cString: access), copyString(refresh), end < 0 ? nil : end)
        },
        listener.toOpaque(),
        { data in
            if let data = data {
                Unmanaged<TokenListener>.fromOpaque(data).release()
            }
        })
    if status != EVRIM_OK {
        listener.release()
    }
    try accept("token callback", status)
}

private func setLog(
    _ tell: @escaping (Int32, String, String) -> Void, on options: OpaquePointer
) throws {
    let listener = Unmanaged.passRetained(LogListener(tell))
    let status = evrim_options_set_log_callback(
        options,
        Int32(truncatingIfNeeded: EVRIM_LOG_DEBUG.rawValue),
        { data, level, subject, message in
            guard let data = data else {
                return
            }
            let listener = Unmanaged<LogListener>.fromOpaque(data).takeUnretainedValue()
            listener.tell(level, copyString(subject) ?? "", copyString(message) ?? "")
        },
        listener.toOpaque(),
        { data in
            if let data = data {
                Unmanaged<LogListener>.fromOpaque(data).release()
            }
        })
    if status != EVRIM_OK {
        listener.release()
    }
    try accept("log callback", status)
}
