import Dispatch
import Evrim
import Foundation
import XCTest

/// The tests want a sandbox server of their own: sandbox -- swift test
final class EvrimTests: XCTestCase {
    private func variable(_ name: String) throws -> String {
        guard let value = ProcessInfo.processInfo.environment[name], !value.isEmpty else {
            throw XCTSkip("\(name) is not set; run: sandbox -- swift test")
        }
        return value
    }

    private func signIn(_ options: Options = Options()) throws -> Client {
        return try Client(
            url: variable("EVRIM_URL"), username: variable("EVRIM_USERNAME"),
            password: variable("EVRIM_PASSWORD"), options: options)
    }

    /// Checks that something is refused, and why.
    private func expect(_ status: Status, line: UInt = #line, _ work: () throws -> Void) {
        do {
            try work()
            XCTFail("nothing was thrown", line: line)
        } catch let error as EvrimError {
            XCTAssertEqual(error.status, status, error.message, line: line)
        } catch {
            XCTFail("\(error)", line: line)
        }
    }

    func testTheFiveCalls() throws {
        let client = try signIn()
        XCTAssertTrue(try client.validateToken())

        let first = try client.currentAccessToken()
        try client.refreshToken()
        let second = try client.currentAccessToken()
        XCTAssertNotEqual(first, second)

        try client.setToken()
        XCTAssertNotEqual(second, try client.currentAccessToken())
        XCTAssertNotNil(try client.currentRefreshToken())
        XCTAssertNotNil(client.tokenExpiresAt)
    }

    func testATokenIsEnough() throws {
        let first = try signIn()
        let url = try variable("EVRIM_URL")
        let access = try first.currentAccessToken()
        let client = try Client(url: url, accessToken: access, refreshToken: nil)
        XCTAssertNil(try client.currentRefreshToken())
        expect(.noRefreshToken) { try client.refreshToken() }
        expect(.noCredentials) { try client.setToken() }
        expect(.authentication) {
            _ = try Client(url: url, accessToken: "no-token", refreshToken: nil)
        }
    }

    func testAnAnswerIsRead() throws {
        let client = try signIn()
        let report = try client.request("GET", "reports/1/")
        XCTAssertEqual(report.status, 200)
        XCTAssertEqual(report.int("/report/id"), 1)
        XCTAssertEqual(report.double("/report/id"), 1.0)
        XCTAssertNil(report.bool("/report/id"))
        XCTAssertNotNil(report.string("/report/title"))
        XCTAssertNil(report.string("/report/no-such-thing"))
        XCTAssertGreaterThan(report.count("/report/sections"), 0)
        XCTAssertEqual(report.header("Content-Type"), "application/json")
        XCTAssertFalse(report.body.isEmpty)
    }

    func testABodyIsSent() throws {
        let client = try signIn()
        let body = """
            {"url": "https://example.org", "title": "Zürich", "description": "d", "style": "NARRATIVE", \
            "tone": "ANALYTICAL", "point_of_view": "THIRD_PERSON"}
            """
        let task = try client.request("POST", "research/", body: Array(body.utf8))
        XCTAssertEqual(task.status, 201)
        XCTAssertNotNil(task.string("/task_id"))
    }

    func testAnErrorTellsWhatTheServerSaid() throws {
        let client = try signIn()
        do {
            _ = try client.request("GET", "reports/999999/")
            XCTFail("there is no such report")
        } catch let error as EvrimError {
            XCTAssertEqual(error.status, .notFound)
            XCTAssertEqual(error.httpStatus, 404)
            XCTAssertFalse(error.body.isEmpty)
            XCTAssertFalse(error.isRetryable)
            XCTAssertNil(error.retryAfterMilliseconds)
        }
    }

    func testWhatIsRefused() throws {
        let url = try variable("EVRIM_URL")
        let username = try variable("EVRIM_USERNAME")
        expect(.authentication) {
            _ = try Client(url: url, username: username, password: "wrong")
        }
        expect(.invalidArgument) {
            _ = try Client(url: url, username: username, password: "a\0b")
        }
        var options = Options()
        options.timeoutMilliseconds = 0
        expect(.invalidArgument) { _ = try self.signIn(options) }
        options = Options()
        options.caFile = "/no/such/file"
        expect(.io) { _ = try self.signIn(options) }
    }

    func testManyThreadsShareOneClient() throws {
        let client = try signIn()
        DispatchQueue.concurrentPerform(iterations: 64) { _ in
            do {
                let report = try client.request("GET", "reports/1/")
                XCTAssertNotNil(report.string("/report/title"))
            } catch {
                XCTFail("\(error)")
            }
        }
    }

    func testTheTokensAreTold() throws {
        var told: [String] = []
        var options = Options()
        options.onTokens = { access, _, _ in told.append(access) }
        let client = try signIn(options)
        try client.refreshToken()
        let access = try client.currentAccessToken()
        XCTAssertEqual(told, [access])
    }

    func testACloneIsCancelledAlone() throws {
        let client = try signIn()
        // The sandbox's own paths are below its base URL, so that a client can reach them.
        let fault = #"{"path": "GET /runs/", "kind": "silent"}"#
        _ = try client.request("POST", "sandbox/faults/", body: Array(fault.utf8))
        defer { _ = try? client.request("DELETE", "sandbox/faults/") }

        let clone = try client.clone()
        let ended = DispatchSemaphore(value: 0)
        let thread = Thread {
            // evrim_cancel means calls that have begun; it is repeated because this one may not have yet.
            repeat {
                clone.cancel()
            } while ended.wait(timeout: .now() + .milliseconds(50)) == .timedOut
        }
        thread.start()
        expect(.cancelled) { _ = try clone.request("GET", "runs/") }
        ended.signal()
        XCTAssertEqual(try client.request("GET", "reports/1/").status, 200)
    }
}
