import CLinux
import Glibc
import Linux
import OCI
import SystemPackage
import Testing

/// What a container inherits of its caller's: a terminal through a socket, and descriptors.
@Suite struct RuntimeDescriptorTests {
    @Test(arguments: Caller.available)
    func `the console socket gets the terminal's master side`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(script: "test -t 0 && test -t 1 && test -t 2 && echo terminal; tty") {
                $0.process?.terminal = true
            }
            let path = "\(runtime.apus.directory)/console"
            let listener = try EngineListener(path)
            defer { listener.close() }
            try runtime.create(runtime.id(), "--console-socket", path)
            let terminal = try listener.receive()
            try #require(terminal.isTerminal)
            defer { terminal.closeQuietly() }
            expectOutput(try runtime("start", runtime.id()), "")
            try runtime.waitForEnd(runtime.id())
            var text = [UInt8](repeating: 0, count: 256)
            let count = read(terminal.rawValue, &text, text.count)
            #expect(String(decoding: text.prefix(max(0, count)), as: UTF8.self).hasPrefix("terminal\r\n"))
        }
    }

    @Test(arguments: Caller.available)
    func `a descriptor that stands for init is sent when asked for`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            let path = "\(runtime.apus.directory)/pidfd"
            let listener = try EngineListener(path)
            defer { listener.close() }
            try runtime.create(runtime.id(), "--pidfd-socket", path)
            let pidfd = try listener.receive()
            defer { pidfd.closeQuietly() }
            try check("pidfd_send_signal") { apus_pidfd_send_signal(pidfd.rawValue, SIGKILL) }
            _ = try Deadline.after().wait(for: [(pidfd, POLLIN)], "init's end")
            #expect(try runtime.state(runtime.id()).status == .stopped)
        }
    }

    @Test func `a terminal without a socket, and a socket without a terminal, are refused`() throws {
        try withRuntime(Caller.available[0]) { runtime in
            runtime.expectFailure(
                try runtime("create", "-b", runtime.bundle, "--console-socket", "/nope", runtime.id()),
                naming: "--console-socket")
            try runtime.configure(["true"]) { $0.process?.terminal = true }
            runtime.expectFailure(
                try runtime("create", "-b", runtime.bundle, runtime.id()), naming: "--console-socket")
        }
    }

    @Test(arguments: Caller.available)
    func `a container inherits the descriptors that it is to have, and no others`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(script: "cat <&3; ls /proc/self/fd | tr '\\n' ' '; echo $LISTEN_FDS $LISTEN_PID")
            let words = runtime.words(["run", "-b", runtime.bundle, "--preserve-fds", "1", runtime.id()])
            let script = #"echo three >file; exec "$@" 3<file 4<file 5<file"#
            func run(_ prefix: String) throws -> Outcome {
                try runtime.apus.startProgram(["/bin/sh", "-c", prefix + script, "sh"] + words).wait()
            }
            // ls has one of its own, for the directory.
            expectOutput(try run(""), "three\n0 1 2 3 4")
            expectOutput(try run("export LISTEN_FDS=1; "), "three\n0 1 2 3 4 5 1 1")
            let more = runtime.words(["run", "-b", runtime.bundle, "--preserve-fds", "9", runtime.id()])
            runtime.expectFailure(try runtime.apus.startProgram(more).wait(), naming: "3", "--preserve-fds")
        }
    }

    @Test(arguments: Caller.available)
    func `without pivot_root a container still sees only its own root`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(["ls", "/"])
            let usual = try runtime("run", "-b", runtime.bundle, runtime.id())
            let moved = try runtime("run", "--no-pivot", "-b", runtime.bundle, runtime.id("two"))
            #expect(usual.status == 0 && usual.output == moved.output && moved.status == 0, "\(usual) \(moved)")
        }
    }
}
