import FoundationEssentials
import Glibc
import Linux
import Testing

/// The records on disk: whatever is wrong with one container's, the others work, and no command hangs or lies.
@Suite struct RecordsTests {
    /// Content that no Apus ever wrote.
    enum Damage: String, CaseIterable {
        case empty, halfWritten, noJSON, otherSchema, otherID, huge, fifo, directory, link, otherType, otherStatus

        func apply(to path: String, of apus: Apus) throws {
            let old = try String(contentsOfFile: path, encoding: .utf8)
            unlink(path)
            switch self {
            case .empty: try apus.replace(path, "")
            case .halfWritten: try apus.replace(path, String(old.prefix(old.count / 2)))
            case .noJSON: try apus.replace(path, "\u{0}\u{1}{{{{")
            case .otherSchema:
                try apus.replace(path, old.replacing("\"schemaVersion\":2", with: "\"schemaVersion\":999"))
            case .otherID:
                let id = path.split(separator: "/").dropLast().last.map { String($0) } ?? ""
                try apus.replace(path, old.replacing(id, with: String(repeating: "0", count: 64)))
            case .huge:
                try apus.replace(path, "")
                #expect(truncate(path, 1 << 40) == 0)
            case .fifo: #expect(mkfifo(path, 0o666) == 0)
            case .directory: #expect(mkdir(path, 0o777) == 0)
            case .link: #expect(symlink("/dev/zero", path) == 0)
            case .otherType: try apus.replace(path, old.replacing("\"status\":", with: "\"status\":7,\"was\":"))
            case .otherStatus:
                try apus.replace(path, old.replacing("\"status\":{", with: "\"status\":{\"more\":1,"))
            }
        }
    }

    @Test(arguments: Damage.allCases)
    func `a damaged state record is reported by name and the other containers work`(damage: Damage) throws {
        try withApus(.own) { apus in
            try apus.detached("healthy")
            let id = try apus.detached("broken")
            try apus.succeed("kill", "broken")
            try damage.apply(to: "\(apus.data)/containers/\(id)/state.json", of: apus)

            let listing = try apus("ps", "-a", "--format", "{{.Names}}")
            #expect(listing.status == 0)
            #expect(listing.output == "healthy\n")
            #expect(listing.errors.contains(id.prefix(12)))
            #expect(listing.errors.split(separator: "\n").count == 1)
            #expect(try apus("exec", "healthy", "true").status == 0)
            #expect(try apus.runContainer(["--rm"], ["true"]).status == 0)
            for verb in ["start", "stop", "kill", "inspect", "rm"] {
                let result = try apus(verb, "broken")
                #expect(result.status == 1, "\(verb): \(result)")
                #expect(result.errors.split(separator: "\n").count == 1, "\(verb): \(result)")
            }
            #expect(try apus("rm", "-f", "broken").status == 0)
            #expect(try apus("ps", "-a", "--format", "{{.Names}}") == .printed("healthy\n"))
        }
    }

    @Test(arguments: Damage.allCases)
    func `a container whose record is damaged while it runs can be removed`(damage: Damage) throws {
        try withApus(.own) { apus in
            let mark = MarkedProcesses.newMark()
            let id = try apus.detached("broken", command: ["sleep", mark])
            try damage.apply(to: "\(apus.data)/containers/\(id)/state.json", of: apus)
            #expect(try apus("rm", "-f", "broken").status == 0)
            #expect(MarkedProcesses.find(mark).isEmpty)
            #expect(try apus("ps", "-aq") == .printed(""))
        }
    }

    @Test(arguments: ["config.json", "spec.json"])
    func `a damaged description keeps its container from starting and nothing else`(name: String) throws {
        try withApus(.own) { apus in
            let id = try apus.create("broken", command: ["true"])
            try apus.create("healthy", command: ["true"])
            try apus.replace("\(apus.data)/containers/\(id)/\(name)", "{")
            #expect(try apus("start", "healthy").status == 0)
            if name == "config.json" {
                let start = try apus("start", "broken")
                #expect(start.status == 1)
                #expect(start.isOneLineNaming("\(name): the record is damaged (not valid JSON: line 1, column 2: "))
            }
            #expect(try apus("ps", "-aq").output.split(separator: "\n").count == 2)
            #expect(try apus("rm", "broken").status == 0)
        }
    }

    @Test func `a further command needs nothing of the description`() throws {
        try withApus(.own) { apus in
            let id = try apus.detached("running", ["--security-opt", "seccomp=unconfined"])
            try apus.replace("\(apus.data)/containers/\(id)/config.json", "{")
            let filter = try apus("exec", "running", "grep", "Seccomp:", "/proc/self/status")
            #expect(filter == .printed("Seccomp:\t0\n"))
        }
    }

    // MARK: Forgeries

    /// A process of this test that no command of Apus may touch.
    private func withBystander(_ body: (pid_t, UInt64) throws -> Void) throws {
        let bystander = try RunningProcess(["/bin/sleep", "1000"], environment: [:], directory: "/")
        let startTime = try #require(ProcessStatus(bystander.pid)).startTime
        try body(bystander.pid, startTime)
        #expect(!bystander.hasEnded)
    }

    @Test func `a reused pid is not taken for the container`() throws {
        try withApus(.own) { apus in
            try withBystander { pid, _ in
                let id = try apus.abandoned("reused")
                try apus.editState(id) { $0.replacing(/"pid":[0-9]+/, with: "\"pid\":\(pid)") }
                #expect(try apus.state("reused") == "exited")
                try apus.succeed("rm", "reused")
            }
        }
    }

    @Test func `a record of an earlier boot says that the machine was restarted`() throws {
        try withApus(.own) { apus in
            try withBystander { pid, startTime in
                let id = try apus.abandoned("earlier")
                try apus.editState(id) {
                    $0.replacing(/"pid":[0-9]+/, with: "\"pid\":\(pid)")
                        .replacing(/"startTime":[0-9]+/, with: "\"startTime\":\(startTime)")
                        .replacing(/"bootID":"[^"]*"/, with: "\"bootID\":\"00000000-0000-0000-0000-000000000000\"")
                }
                #expect(try apus.inspect("earlier", "{{.State.Status}} {{.State.ExitCode}}") == "exited 137")
                #expect(try apus.inspect("earlier", "{{.State.Error}}").contains("restarted"))
                try apus.succeed("start", "earlier")
                #expect(try apus.state("earlier") == "running")
            }
        }
    }

    @Test func `a record that names a cgroup of others leaves it alone`() throws {
        try withApus(.own) { apus in
            let id = try apus.abandoned("forged", limits: true)
            try apus.editState(id) { $0.replacing(/"\/sys\/fs\/cgroup[^"]*"/, with: "\"/sys/fs/cgroup\"") }
            #expect(try apus("ps", "-a").status == 0)
            #expect(try apus("rm", "-f", "forged").status == 0)
            #expect(try apus("ps", "-aq").output.isEmpty)
        }
    }

    @Test(arguments: ["../../../etc/passwd", "", "0123", String(repeating: "f", count: 64), "../containers"])
    func `a forged name leads nowhere`(content: String) throws {
        try withApus(.own) { apus in
            try apus.create("real", command: ["true"])
            let path = "\(apus.data)/names/forged"
            if symlink(content, path) != 0 { try apus.replace(path, content) }
            let result = try apus("rm", "-f", "forged")
            #expect(result.output.isEmpty)
            #expect(try apus("inspect", "forged").status == 1)
            #expect(try apus("ps", "-aq").output.split(separator: "\n").count == 1)
            #expect(try apus.runContainer(["--rm", "--name", "forged"], ["true"]).status == 0)
        }
    }

    @Test func `files that are no containers are left alone`() throws {
        try withApus(.own) { apus in
            let folders = ["containers", "alive", "names"]
            try apus.succeed("ps")
            for folder in folders { try apus.file("data/\(folder)/README", "notes") }
            try apus.file("data/alive/\(String(repeating: "a", count: 64))", "")
            #expect(try apus("ps", "-a", "-q") == .printed(""))
            #expect(try apus.runContainer(["--rm"], ["true"]).status == 0)
            for folder in folders { #expect(unlink("\(apus.data)/\(folder)/README") == 0) }
        }
    }

    // MARK: Space and rights

    @Test(Requirement.root) func `a full disk is said and wedges nothing`() throws {
        try withApus(.root) { apus in
            let disk = try SmallDisk(apus)
            defer { disk.unmount() }
            try apus.detached("before", command: ["sleep", "1000"])
            try disk.fill()
            let result = try apus.runContainer(["--rm"], ["true"])
            #expect(result.status == 125 || result.status == 0)
            if result.status == 125 { #expect(result.errors.contains("No space left")) }
            let detached = try apus.runContainer(["-d", "--name", "no-room"], ["sleep", "1000"])
            #expect(detached.status == 125)
            #expect(detached.isOneLineNaming("No space left"))
            #expect(try apus("ps", "--format", "{{.Names}}").output == "before\n")
            #expect(try apus("exec", "before", "true").status == 0)
            try disk.free()
            #expect(try apus("rm", "-f", "before").status == 0)
            #expect(try apus.runContainer(["--rm"], ["true"]).status == 0)
            #expect(try apus("ps", "-aq") == .printed(""))
        }
    }

    @Test(Requirement.root) func `a full disk cannot keep a container from being removed`() throws {
        try withApus(.root) { apus in
            let disk = try SmallDisk(apus)
            defer { disk.unmount() }
            let mark = MarkedProcesses.newMark()
            try apus.detached("big", command: ["sleep", mark])
            try disk.fill()
            #expect(try apus("rm", "-f", "big").status == 0)
            #expect(MarkedProcesses.find(mark).isEmpty)
            #expect(try apus("ps", "-aq").output.isEmpty)
        }
    }

    @Test func `a data directory that cannot be written to is named`() throws {
        try withApus(.own) { apus in
            let result = try apus("--root", "/proc/apus", "ps")
            #expect(result.status == 125)
            #expect(result.isOneLineNaming("/proc/apus"))
            let relative = try apus("--root", "/dev/null", "ps")
            #expect(relative.status == 125)
            #expect(relative.isOneLineNaming("/dev/null"))
        }
    }
}
