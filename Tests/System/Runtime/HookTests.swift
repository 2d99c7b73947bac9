import FoundationEssentials
import Glibc
import Linux
import OCI
import Testing

/// Hooks: when they run, where, with what, and what their failure means.
///
/// - Note: OCI Runtime Specification, config.md, "POSIX-platform Hooks".
@Suite struct HookTests {
    /// A hook that notes its name, the state that it gets, and what it sees, in the file that NOTES names.
    private static func hook(_ name: String, _ notes: String, inside: Bool = false) -> Spec.Hook {
        let script = """
            state=$(cat); status=${state#*'"status":"'}; pid=${state#*'"pid":'}
            where=$(readlink /proc/self/ns/mnt); root=outside; [ -e /proc/self/root\(notes) ] || root=inside
            echo "\(name) ${status%%'"'*} ${pid%%[,\\}]*} $where $root" >>\(inside ? "/dev/shm/notes" : notes)
            """
        return Spec.Hook(path: "/bin/sh", args: ["sh", "-c", script], env: ["PATH=/bin:/usr/bin"])
    }

    @Test(arguments: Caller.available)
    func `hooks run in their order and places, with the state`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            let notes = try runtime.apus.file("notes", "", mode: 0o666)
            try runtime.configure(script: "cat /dev/shm/notes; echo command; sleep 1000") { spec in
                spec.hooks = Spec.Hooks(
                    prestart: [Self.hook("prestart", notes)],
                    createRuntime: [Self.hook("createRuntime", notes), Self.hook("again", notes)],
                    createContainer: [Self.hook("createContainer", notes)],
                    startContainer: [Self.hook("startContainer", notes, inside: true)],
                    poststart: [Self.hook("poststart", notes)], poststop: [Self.hook("poststop", notes)])
            }
            try runtime.create(runtime.id())
            let pid = try #require(try runtime.state(runtime.id()).pid)
            let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/mnt")
            let theirs = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/ns/mnt")
            let created = [
                "prestart created \(pid) \(own) outside", "createRuntime creating \(pid) \(own) outside",
                "again creating \(pid) \(own) outside", "createContainer creating 1 \(theirs) outside",
            ]
            #expect(try Self.lines(notes) == created)
            expectOutput(try runtime("start", runtime.id()), "")
            #expect(try Self.lines(notes) == created + ["poststart running \(pid) \(own) outside"])
            try waitUntil(changing: [runtime.apus.directory], "the command") {
                try runtime.output.contains("command\n")
            }
            #expect(try runtime.output == "startContainer created 1 \(theirs) inside\ncommand\n")
            expectOutput(try runtime("delete", "--force", runtime.id()), "")
            #expect(try Self.lines(notes).last?.hasPrefix("poststop stopped") == true)
        }
    }

    private static func lines(_ path: String) throws -> [String] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map { String($0) }
    }

    @Test(arguments: Caller.available, [HookKind.prestart, .createRuntime, .createContainer])
    func `a hook of create that fails leaves no container`(caller: Caller, kind: HookKind) throws {
        try withRuntime(caller) { runtime in
            for script in ["echo told so >&2; exit 3", "kill -9 $$"] {
                try runtime.configure(["true"]) { kind.set([Self.failing(script)], in: &$0) }
                for verb in ["create", "run"] {
                    runtime.expectFailure(
                        try runtime(verb, "--bundle", runtime.bundle, runtime.id()), naming: "\(kind)[0]",
                        script.contains("told") ? "told so" : "signal 9")
                    runtime.expectFailure(try runtime("state", runtime.id()), naming: "does not exist")
                }
            }
        }
    }

    @Test(arguments: Caller.available, [HookKind.startContainer, .poststart])
    func `a hook of start that fails stops the container`(caller: Caller, kind: HookKind) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(["sleep", "1000"]) { kind.set([Self.failing("echo told so >&2; exit 3")], in: &$0) }
            try runtime.create(runtime.id())
            runtime.expectFailure(try runtime("start", runtime.id()), naming: "\(kind)[0]", "told so")
            try runtime.waitForEnd(runtime.id())
            #expect(try runtime.state(runtime.id()).status == .stopped)
            expectOutput(try runtime("delete", runtime.id()), "")
        }
    }

    @Test(arguments: Caller.available)
    func `a poststop hook that fails is told of and does not keep the container`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            let notes = try runtime.apus.file("notes", "", mode: 0o666)
            try runtime.configure(["true"]) {
                $0.hooks = Spec.Hooks(poststop: [Self.failing("exit 3"), Self.hook("second", notes)])
            }
            let outcome = try runtime("run", "--bundle", runtime.bundle, runtime.id())
            #expect(outcome.status == 0 && outcome.errors.contains("poststop"), "\(outcome)")
            #expect(try Self.lines(notes).count == 1)
        }
    }

    @Test func `a hook that takes longer than its timeout is killed`() throws {
        try withRuntime(Caller.available[0]) { runtime in
            try runtime.configure(["true"]) {
                $0.hooks = Spec.Hooks(createRuntime: [
                    Spec.Hook(path: "/bin/sleep", args: ["sleep", "1000"], timeout: 1)
                ])
            }
            runtime.expectFailure(
                try runtime("create", "--bundle", runtime.bundle, runtime.id()), naming: "longer than 1 s")
        }
    }

    private static func failing(_ script: String) -> Spec.Hook {
        Spec.Hook(path: "/bin/sh", args: ["sh", "-c", script])
    }
}

/// The hooks whose failure ends a container.
enum HookKind: String, CustomStringConvertible {
    case prestart, createRuntime, createContainer, startContainer, poststart

    var description: String { rawValue }

    func set(_ hooks: [Spec.Hook], in spec: inout Spec) {
        spec.hooks = Spec.Hooks()
        switch self {
        case .prestart: spec.hooks?.prestart = hooks
        case .createRuntime: spec.hooks?.createRuntime = hooks
        case .createContainer: spec.hooks?.createContainer = hooks
        case .startContainer: spec.hooks?.startContainer = hooks
        case .poststart: spec.hooks?.poststart = hooks
        }
    }
}
