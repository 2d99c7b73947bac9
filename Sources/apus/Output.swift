import ArgumentParser
import Containers
import Glibc
import Linux
import SystemPackage

/// What a command prints on standard output.
enum Output {
    /// Apus has one thread.
    private nonisolated(unsafe) static var pending: [UInt8] = []

    /// Adds to what is printed, as a whole, when the command ends or waits.
    static func write(_ text: String) {
        pending += text.utf8
    }

    /// Adds a line.
    static func line(_ text: String) {
        write(text)
        pending.append(0x0a)
    }

    /// Prints what was written so far.
    ///
    /// - Returns: `status`.
    /// - Throws: When it could not be printed: a result that nobody got is no success.
    @discardableResult
    static func finish(_ status: Int32 = 0) throws -> Int32 {
        defer { pending = [] }
        do throws(SystemCallError) {
            try FileDescriptor(rawValue: STDOUT_FILENO).writeFully(pending)
        } catch {
            throw Failure("write", "standard output", error)
        }
        return status
    }
}

/// The containers of this user, with everything cleaned up that killed processes left behind.
func openStore() throws(Failure) -> ContainerStore {
    let store = try ContainerStore()
    for problem in store.sweep() { Report.line("warning: \(problem)") }
    return store
}

/// Does `body`; a failure is reported.
///
/// - Throws: Exit status 1, as Docker's commands have it, after a failure.
func reportingFailure(_ body: () throws -> Void) throws {
    try forEachReportingFailures([""]) { _ in try body() }
}

/// Does `body` for each container; a failure is reported and does not keep it from the others.
///
/// - Throws: Exit status 1, as Docker's commands have it, after any failure.
func forEachReportingFailures(_ names: [String], _ body: (String) throws -> Void) throws {
    var failed = false
    for name in names {
        do {
            try body(name)
            try Output.finish()
        } catch let exit as ExitCode {
            throw exit
        } catch {
            Report.line("\(error)")
            failed = true
        }
    }
    if failed { throw ExitCode(1) }
}
