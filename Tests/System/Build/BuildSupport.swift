import FoundationEssentials
import Glibc
import Testing

extension Apus {
    /// Makes a context of the caller's by a script of the host's shell.
    ///
    /// - Parameters:
    ///   - dockerfile: Its Dockerfile.
    ///   - script: Runs in the directory.
    func context(_ name: String, _ dockerfile: String, _ script: String = "true") throws {
        let made = try startShell("set -e; mkdir -p '\(name)'; cd '\(name)'; \(script)").wait()
        try #require(made.status == 0, "\(made)")
        try file("\(name)/Dockerfile", dockerfile)
    }

    /// `apus build FLAGS CONTEXT`.
    func build(_ context: String, _ flags: String...) throws -> Outcome {
        try self(["build"] + flags + ["\(directory)/\(context)"])
    }

    /// As `build`, which must succeed.
    ///
    /// - Returns: The image's ID, and what was said of the steps.
    @discardableResult
    func built(_ context: String, _ flags: String...) throws -> (id: String, steps: String) {
        let outcome = try self(["build"] + flags + ["\(directory)/\(context)"])
        try #require(outcome.status == 0, "\(outcome)")
        return (outcome.text, outcome.errors)
    }

    /// What `apus run --rm IMAGE sh -c SCRIPT` says.
    func inImage(_ image: String, _ script: String) throws -> String {
        let outcome = try self("run", "--rm", image, "sh", "-c", script)
        try #require(outcome.status == 0, "\(outcome)")
        return outcome.text
    }

    /// Containers and unfinished layers that are there.
    func buildLeftovers() throws -> [String] {
        var found: [String] = []
        for folder in ["containers", "images/ingest"] {
            found += try FileManager.default.contentsOfDirectory(atPath: "\(data)/\(folder)")
        }
        return found
    }
}
