import CEvrim

/// A session with the server. Any number of threads may use it at once. Every call blocks the thread
/// that makes it; those that are not to block go to a thread of their own.
public final class Client: @unchecked Sendable {
    private let handle: OpaquePointer

    private init(handle: OpaquePointer) {
        self.handle = handle
    }

    deinit {
        evrim_free(handle)
    }

    /// Signs in with a user name and a password.
    public convenience init(
        url: String, username: String, password: String, options: Options = Options()
    ) throws {
        try checkText([url, username, password])
        let handle = try options.use { options in
            try make { evrim_new(url, username, password, options, $0, $1) }
        }
        self.init(handle: handle)
    }

    /// Starts from an existing token. Without a refresh token the access token can't be renewed.
    public convenience init(
        url: String, accessToken: String, refreshToken: String?, options: Options = Options()
    ) throws {
        try checkText([url, accessToken, refreshToken ?? ""])
        let handle = try options.use { options in
            try withOptionalCString(refreshToken) { refresh in
                try make { evrim_from_token(url, accessToken, refresh, options, $0, $1) }
            }
        }
        self.init(handle: handle)
    }

    /// Goes by EVRIM_URL with EVRIM_USERNAME and EVRIM_PASSWORD, or EVRIM_TOKEN and
    /// EVRIM_REFRESH_TOKEN, or EVRIM_API_TOKEN.
    public static func fromEnvironment(options: Options = Options()) throws -> Client {
        let handle = try options.use { options in
            try make { evrim_from_env(options, $0, $1) }
        }
        return Client(handle: handle)
    }

    /// A second client on the same session, which can be cancelled alone. It has the same options, or
    /// those that are given in place of all of them.
    public func clone(options: Options? = nil) throws -> Client {
        guard let options = options else {
            let clone = try make { evrim_clone(handle, nil, $0, $1) }
            return Client(handle: clone)
        }
        let clone = try options.use { options in
            try make { evrim_clone(handle, options, $0, $1) }
        }
        return Client(handle: clone)
    }

    /// Ends the calls that are running on this client, from any thread; not those on its clones. A call
    /// that begins later is a new one.
    public func cancel() {
        evrim_cancel(handle)
    }

    /// Sends a request and waits for the answer. The path is appended to the base URL; a body is sent as
    /// application/json. A status that is not 2xx is thrown.
    public func request(_ method: String, _ path: String, body: [UInt8] = []) throws -> Response {
        try checkText([method, path])
        let response = try body.withUnsafeBytes { bytes in
            try make {
                evrim_request(
                    handle, method, path, bytes.isEmpty ? nil : bytes.baseAddress, bytes.count, $0, $1)
            }
        }
        return Response(handle: response)
    }

    /// Asks the server whether it accepts the access token. A token that is refused is no error.
    public func validateToken() throws -> Bool {
        var valid = false
        try check { evrim_validate_token(handle, &valid, $0) }
        return valid
    }

    /// Buys a new access token with the refresh token. Requests do that by themselves.
    public func refreshToken() throws {
        try check { evrim_refresh_token(handle, $0) }
    }

    /// Signs in again and replaces both tokens.
    public func setToken() throws {
        try check { evrim_set_token(handle, $0) }
    }

    /// A copy of the access token. Swift's copy is not wiped.
    public func currentAccessToken() throws -> String {
        var token: UnsafeMutablePointer<CChar>?
        try check { evrim_copy_access_token(handle, &token, $0) }
        return takeString(token) ?? ""
    }

    /// A copy of the refresh token; nil if there is none.
    public func currentRefreshToken() throws -> String? {
        var token: UnsafeMutablePointer<CChar>?
        try check { evrim_copy_refresh_token(handle, &token, $0) }
        return takeString(token)
    }

    /// When the access token ends, in seconds since 1970 by the server's clock; nil if that is not known.
    public var tokenExpiresAt: Int64? {
        let seconds = evrim_token_expires_at(handle)
        return seconds < 0 ? nil : seconds
    }
}

/// The version of the library that is loaded, such as "0.1.0".
public func libraryVersion() -> String {
    return copyString(evrim_version()) ?? ""
}
