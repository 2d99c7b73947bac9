import Glibc
import Linux
import SystemPackage
import Testing

@testable import Sandbox

@Suite struct `The place of a mount` {
    /// A slash with a combining accent is one character of Swift's, and a separator all the same.
    @Test(arguments: ["/out/new", "/out/\u{301}new", "/out/\u{301}new/\u{20DD}more", "out//\u{200D}new"])
    func `is made in the root, where symlinks lead out of it`(target: String) throws {
        try withRoot { root, beside in
            symlinkat("../beside", root.rawValue, "out")
            symlinkat("../../../beside", root.rawValue, "further-out")
            let table = MountTable(root: root, inUserNamespace: false)
            for isDirectory in [true, false] {
                let made = try? table.openTarget(target, directory: isDirectory)  // `try?`: it may be refused
                made?.closeQuietly()
            }
            let madeBeside = try beside.entries()
            #expect(madeBeside == [])
        }
    }

    @Test func `may have a name that begins with an accent`() throws {
        try withRoot { root, _ in
            let target = try MountTable(root: root, inUserNamespace: false).openTarget("/a/\u{301}b", directory: true)
            defer { target.closeQuietly() }
            let (inside, opened) = (try root.status(of: "a/\u{301}b"), try target.status())
            #expect(inside.st_ino == opened.st_ino)
        }
    }

    private func withRoot(_ body: (_ root: FileDescriptor, _ beside: FileDescriptor) throws -> Void) throws {
        let here = FileDescriptor.workingDirectory
        let path = "/tmp/apus-mount-target-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        for name in ["root", "beside"] { try here.makeDirectories("\(path)/\(name)") }
        let root = try here.open("\(path)/root", O_RDONLY | O_DIRECTORY)
        let beside = try here.open("\(path)/beside", O_RDONLY | O_DIRECTORY)
        defer {
            for directory in [root, beside] { directory.closeQuietly() }
            try? here.removeTree(path)  // `try?`: the test has its verdict
        }
        try body(root, beside)
    }
}
