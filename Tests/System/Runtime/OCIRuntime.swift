import FoundationEssentials
import Glibc
import Linux
import OCI
import SystemPackage
import Testing

/// Runs `body` with an OCI runtime and a bundle of its own, and then makes sure that nothing of it is left.
func withRuntime(
    _ caller: Caller, location: SourceLocation = #_sourceLocation, _ body: (OCIRuntime) throws -> Void
) throws {
    try withApus(caller) { apus in
        let runtime = try OCIRuntime(apus)
        defer { runtime.close(location) }
        try body(runtime)
    }
}

/// The executable as an engine calls it: by the name apus-runtime, with a root and a bundle.
final class OCIRuntime {
    let apus: Apus
    /// `--root`.
    let root: String
    let bundle: String
    /// IDs are this and what a test appends, so that what is left of one is known by it.
    let prefix: String
    private let executable: String
    private let example: Spec

    init(_ apus: Apus) throws {
        self.apus = apus
        root = "\(apus.directory)/states"
        bundle = try apus.makeDirectory("bundle")
        prefix = "apus-test-\(apus.directory.suffix(6))"
        executable = "\(apus.directory)/apus-runtime"
        symlink(Machine.apus, executable)
        let words = [executable, "spec", "--bundle", bundle] + (apus.caller == .root ? [] : ["--rootless"])
        let outcome = try apus.startProgram(words).wait()
        try #require(outcome.status == 0, "\(outcome)")
        example = try Spec(json: Array(Data(contentsOf: URL(filePath: "\(bundle)/config.json"))))
        try configure(["true"])
    }

    /// Writes the bundle's config.json: the example that `spec` gives, without a terminal, on the busybox root.
    func configure(_ arguments: [String], _ change: (inout Spec) -> Void = { _ in }) throws {
        var spec = example
        spec.root?.path = Machine.busybox
        spec.process?.terminal = false
        spec.process?.args = arguments
        // Fewer open files than the caller may have are no concern of these tests.
        spec.process?.rlimits = nil
        change(&spec)
        try apus.file("bundle/config.json", String(decoding: spec.json(), as: UTF8.self))
    }

    /// As above, for a script of the container's shell.
    func configure(script: String, _ change: (inout Spec) -> Void = { _ in }) throws {
        try configure(["sh", "-c", script], change)
    }

    /// An ID of this test's own.
    func id(_ name: String = "one") -> String { "\(prefix)-\(name)" }

    /// The words of a call.
    func words(_ words: [String]) -> [String] { [executable, "--root", root] + words }

    /// Calls the runtime and waits for its end and that of its output.
    func callAsFunction(_ words: String...) throws -> Outcome { try self(words) }

    func callAsFunction(_ words: [String]) throws -> Outcome {
        let process = try apus.startProgram(self.words(words))
        process.closeInput()
        return try process.wait()
    }

    /// Calls the runtime for a container that outlives the call: both write to files in the test's directory.
    ///
    /// - Returns: What was written until the call ended; `output` tells what the container writes later.
    func leaving(_ words: String...) throws -> Outcome { try leaving(words) }

    func leaving(_ words: [String]) throws -> Outcome {
        let script = #"output=$1; shift; exec "$@" >"$output/out" 2>"$output/err" </dev/null"#
        let process = try apus.startProgram(["/bin/sh", "-c", script, "sh", apus.directory] + self.words(words))
        let status = try process.waitForEnd()
        return Outcome(status: status, output: try text("out"), errors: try text("err"))
    }

    /// Makes a container that waits for its start.
    func create(_ id: String, _ options: String...) throws {
        let outcome = try leaving(["create", "--bundle", bundle] + options + [id])
        try #require(outcome.status == 0, "\(outcome)")
    }

    /// What the last container left running has written.
    var output: String { get throws { try text("out") } }
    var errors: String { get throws { try text("err") } }

    private func text(_ name: String) throws -> String {
        try String(contentsOfFile: "\(apus.directory)/\(name)", encoding: .utf8)
    }

    /// The state, by `state`.
    func state(_ id: String) throws -> State {
        let outcome = try self("state", id)
        try #require(outcome.status == 0, "\(outcome)")
        return try State(json: Array(outcome.output.utf8))
    }

    /// Waits until a run is recorded, which it is at the moment at which its command begins.
    ///
    /// - Returns: The PID of init.
    func waitForRecord(_ id: String) throws -> pid_t {
        var pid: pid_t = 0
        try waitUntil(changing: ["\(root)/\(id)"], "the record of '\(id)'") {
            pid = try state(id).pid ?? 0
            return pid > 0
        }
        return pid
    }

    /// Waits until a container has ended.
    func waitForEnd(_ id: String, seconds: Int = 90) throws {
        let pid = try #require(try state(id).pid)
        guard pid > 0, let process = try ProcessHandle.open(pid) else { return }
        defer { process.pidfd.closeQuietly() }
        _ = try Deadline.after(seconds).wait(for: [(process.pidfd, POLLIN)], "the end of '\(id)'")
    }

    /// Expects a failure of the runtime: status 1, and one line with these words in it.
    func expectFailure(_ outcome: Outcome, naming words: String..., location: SourceLocation = #_sourceLocation) {
        let isRight =
            outcome.status == 1 && outcome.errors.split(separator: "\n").count == 1
            && words.allSatisfy { outcome.errors.contains($0) }
        #expect(isRight, "\(words) wanted, but \(outcome)", sourceLocation: location)
    }

    fileprivate func close(_ location: SourceLocation) {
        do {
            for id in try self("list", "--quiet").lines {
                let deleted = try self("delete", "--force", id)
                #expect(deleted.status == 0, "\(deleted)", sourceLocation: location)
            }
            // `try?`: without a first container there is no directory
            let left = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
            #expect(left.filter { !$0.hasPrefix("@") } == [], sourceLocation: location)
            #expect(Leftovers.cgroups(of: [prefix]) == [], sourceLocation: location)
        } catch {
            Issue.record(error, "cannot clean up '\(root)'", sourceLocation: location)
        }
    }
}
