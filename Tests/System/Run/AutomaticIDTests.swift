import Glibc
import Testing

/// `--userns auto`: IDs that no other container has.
@Suite struct AutomaticIDTests {
    private func firstID(_ apus: Apus, _ container: String) throws -> UInt32 {
        let outcome = try apus("exec", container, "cat", "/proc/self/uid_map")
        let fields = outcome.text.split(separator: " ").compactMap { UInt32($0) }
        try #require(fields.count == 3, "\(outcome)")
        return fields[1]
    }

    @Test(arguments: Caller.available)
    func `no two containers have the same automatic IDs`(caller: Caller) throws {
        try withApus(caller) { apus in
            let ids = try (0..<6).map { _ in try apus.detached(["--userns", "auto"], ["sleep", "1000"]) }
            let firsts = try ids.map { try firstID(apus, $0) }
            #expect(Set(firsts).count == ids.count, "\(firsts)")
        }
    }

    @Test(arguments: Caller.available)
    func `automatic IDs are free again when their container is gone, however it ended`(caller: Caller) throws {
        try withApus(caller) { apus in
            // An ordinary user has few: more containers one after the other than there are.
            for round in 0..<20 {
                let process = try apus.start(
                    [
                        "run", "--rm", "-i", "--userns", "auto", "--rootfs", Machine.busybox, "sh", "-c",
                        "echo up; read x",
                    ])
                try process.waitForOutput("up")
                if round % 2 == 0 { process.closeInput() } else { try process.send(SIGKILL) }
                _ = try process.wait()
            }
        }
    }
}
