import CLinux
import Glibc
import Linux
import OCI
import SystemPackage
import Testing

/// Filters that ask somebody: `listenerPath`.
@Suite struct SeccompListenerTests {
    /// An agent that answers one question after another with an errno.
    private final class Agent: Sendable {
        let path: String
        private let socket: FileDescriptor

        init(_ path: String) throws {
            self.path = path
            socket = try EngineListener.listen(at: path)
        }

        /// Takes what a runtime sends over one connection.
        func accept() throws -> (state: ContainerProcessState, listener: FileDescriptor) {
            var entry = pollfd(fd: socket.rawValue, events: Int16(POLLIN), revents: 0)
            try #require(poll(&entry, 1, 30_000) == 1, "nobody connects")
            let connection = FileDescriptor(rawValue: try check("accept") { apus_accept(socket.rawValue) })
            defer { connection.closeQuietly() }
            var bytes = [UInt8](repeating: 0, count: 4096)
            var descriptor: CInt = -1
            let count = DescriptorPassing.receive(&bytes, descriptor: &descriptor, from: connection)
            // The end of the stream belongs to it: a connection is for one message.
            let rest = try connection.readAll(limit: 4096)
            try #require(count > 0 && descriptor >= 0)
            return (try ContainerProcessState(json: bytes[..<count] + rest), FileDescriptor(rawValue: descriptor))
        }

        /// Answers the next call that is held back.
        ///
        /// - Returns: The call's number.
        static func refuse(_ listener: FileDescriptor, with error: CInt) throws -> CInt {
            var entry = pollfd(fd: listener.rawValue, events: Int16(POLLIN), revents: 0)
            try #require(poll(&entry, 1, 30_000) == 1, "nobody asks")
            var question = [UInt64](repeating: 0, count: 10)  // struct seccomp_notif, 80 bytes
            try check("ioctl", "SECCOMP_IOCTL_NOTIF_RECV") { apus_ioctl_ptr(listener.rawValue, 0xc050_2100, &question) }
            // struct seccomp_notif_resp: id, value, error, flags
            var answer: [UInt64] = [question[0], 0, UInt64(UInt32(bitPattern: -error))]
            try check("ioctl", "SECCOMP_IOCTL_NOTIF_SEND") { apus_ioctl_ptr(listener.rawValue, 0xc018_2101, &answer) }
            return CInt(truncatingIfNeeded: question[2])
        }

        func close() { socket.closeQuietly() }
    }

    private func profile(_ agent: String?, metadata: String? = nil) -> Spec.Seccomp {
        Spec.Seccomp(
            defaultAction: .allow, listenerPath: agent, listenerMetadata: metadata,
            syscalls: [.init(names: ["mkdir", "mkdirat"], action: .notify)])
    }

    private static let cases = Caller.available.flatMap { caller in [true, false].map { (caller, $0) } }

    @Test(arguments: cases)
    func `create hands the listener over, and the agent answers what the command asks`(
        caller: Caller, noNewPrivileges: Bool
    ) throws {
        try withRuntime(caller) { runtime in
            let agent = try Agent("\(runtime.apus.directory)/agent")
            defer { agent.close() }
            try runtime.configure(script: "mkdir /tmp/new") {
                $0.linux?.seccomp = profile(agent.path, metadata: "any text")
                $0.process?.noNewPrivileges = noNewPrivileges
                $0.annotations = ["a": "b"]
            }
            try runtime.create(runtime.id())
            let (state, listener) = try agent.accept()
            defer { listener.closeQuietly() }
            let pid = try #require(try runtime.state(runtime.id()).pid)
            #expect(state.fds == ["seccompFd"] && state.pid == pid && state.metadata == "any text")
            #expect(state.state.id == runtime.id() && state.state.status == .creating && state.state.pid == pid)
            #expect(state.state.bundle == runtime.bundle && state.state.annotations == ["a": "b"])
            expectOutput(try runtime("start", runtime.id()), "")
            #expect([CInt(SYS_mkdir), CInt(SYS_mkdirat)].contains(try Agent.refuse(listener, with: EXDEV)))
            try runtime.waitForEnd(runtime.id())
            #expect(try runtime.errors.contains("Invalid cross-device link"))
        }
    }

    @Test(arguments: Caller.available)
    func `an agent that is not there, and a rule that asks nobody, are refused`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            runtime.expectFailure(
                try runtime.run(script: "true") { $0.linux?.seccomp = profile("/nowhere/agent") },
                naming: "listenerPath", "/nowhere/agent")
            runtime.expectFailure(
                try runtime.run(script: "true") { $0.linux?.seccomp = profile(nil) }, naming: "listenerPath", "notify")
        }
    }

    @Test(arguments: Caller.available)
    func `apus run with a profile that asks`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            let apus = runtime.apus
            let agent = try Agent("\(apus.directory)/agent")
            defer { agent.close() }
            let file = try apus.file("profile.json", String(decoding: profile(agent.path).json(), as: UTF8.self))
            let process = try apus.start(
                ["run", "--rm", "--security-opt", "seccomp=\(file)", "--rootfs", Machine.busybox, "mkdir", "/tmp/new"])
            let (state, listener) = try agent.accept()
            defer { listener.closeQuietly() }
            #expect(state.state.status == .creating && state.state.id.count == 64)
            _ = try Agent.refuse(listener, with: EXDEV)
            let outcome = try process.wait()
            #expect(outcome.status == 1 && outcome.errors.contains("Invalid cross-device link"), "\(outcome)")
        }
    }

    @Test(
        arguments: [
            "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
            "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
        ])
    func `each flag is taken, also where nobody is asked`(flag: String) throws {
        try withRuntime(Caller.available[0]) { runtime in
            let outcome = try runtime.run(script: "mkdir /tmp/new") {
                $0.linux?.seccomp = .init(
                    defaultAction: .allow, flags: [flag],
                    syscalls: [.init(names: ["mkdir", "mkdirat"], action: .errno, errnoRet: UInt32(EXDEV))])
            }
            #expect(outcome.errors.contains("Invalid cross-device link"), "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `a filter that forbids to look for the command does not keep it from running`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(["true"]) {
                // As profiles do that are older than the call. `create` looks for the command under the filter, which
                // without no_new_privs is installed while there still are capabilities.
                $0.process?.noNewPrivileges = false
                $0.linux?.seccomp = .init(
                    defaultAction: .allow,
                    syscalls: [
                        .init(names: ["faccessat2", "access", "newfstatat"], action: .errno, errnoRet: UInt32(EPERM))
                    ])
            }
            try runtime.create(runtime.id())
            #expect(try runtime("start", runtime.id()).status == 0)
            try runtime.waitForEnd(runtime.id())
        }
    }
}
