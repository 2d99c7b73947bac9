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
            let listener = try Self.listen(at: path)
            defer { listener.closeQuietly() }
            try runtime.create(runtime.id(), "--console-socket", path)
            let connection = FileDescriptor(rawValue: try check("accept") { apus_accept(listener.rawValue) })
            defer { connection.closeQuietly() }
            var descriptor: CInt = -1
            var bytes = [UInt8](repeating: 0, count: 256)
            #expect(DescriptorPassing.receive(&bytes, descriptor: &descriptor, from: connection) > 0)
            let terminal = FileDescriptor(rawValue: descriptor)
            try #require(terminal.isTerminal)
            defer { terminal.closeQuietly() }
            expectOutput(try runtime("start", runtime.id()), "")
            try runtime.waitForEnd(runtime.id())
            var text = [UInt8](repeating: 0, count: 256)
            let count = read(terminal.rawValue, &text, text.count)
            #expect(String(decoding: text.prefix(max(0, count)), as: UTF8.self).hasPrefix("terminal\r\n"))
        }
    }

    private static func listen(at path: String) throws -> FileDescriptor {
        let socket = FileDescriptor(
            rawValue: try check("socket") {
                Glibc.socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
            })
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        try check("bind") { apus_bind_unix(socket.rawValue, &address) }
        try check("listen") { Glibc.listen(socket.rawValue, 1) }
        chmod(path, 0o777)
        return socket
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
