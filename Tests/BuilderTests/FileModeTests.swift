import Glibc
import Testing

@testable import Builder

/// `--chmod`.
@Suite struct FileModeTests {
    @Test(
        arguments: [
            ("755", S_IFREG | 0o600, 0o755), ("u=rwX,go=rX", S_IFREG | 0o600, 0o644),
            ("u=rwX,go=rX", S_IFREG | 0o700, 0o755),
            ("u=rwX,go=rX", S_IFDIR | 0o700, 0o755), ("+x", S_IFREG | 0o644, 0o755), ("go-rwx", S_IFREG | 0o777, 0o700),
            ("a+t", S_IFDIR | 0o777, 0o1777), ("u+s", S_IFREG | 0o755, 0o4755),
        ] as [(String, mode_t, mode_t)])
    func `a mode is what chmod makes of it`(text: String, before: mode_t, after: mode_t) throws {
        #expect(try FileMode(text).applied(to: before) == after)
    }

    @Test(arguments: ["", "8", "77777", "u", "u+q", "rwx", "u+r,"])
    func `what is no mode is refused`(text: String) {
        #expect(throws: (any Error).self) { try FileMode(text) }
    }
}
