// Signs in, validates, refreshes and replaces the token, and reads a report.
//
//     EVRIM_URL=… EVRIM_USERNAME=… EVRIM_PASSWORD=… swift run quickstart

import Evrim
import Foundation

do {
    let client = try Client.fromEnvironment()
    print("signed in with libevrim \(libraryVersion())")
    let valid = try client.validateToken()
    print("the token is valid: \(valid)")

    try client.refreshToken()
    print("the access token was refreshed")

    try client.setToken()
    print("both tokens were replaced")

    let report = try client.request("GET", "reports/1/")
    let title = report.string("/report/title") ?? "(no title)"
    print("report 1 is \"\(title)\", in \(report.count("/report/sections")) sections")
} catch {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    exit(1)
}
