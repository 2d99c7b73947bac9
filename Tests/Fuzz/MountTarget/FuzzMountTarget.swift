import Glibc
import Linux
import SystemPackage

@testable import Sandbox

/// Opens any path as the target of a mount in a root that holds anything: what is opened lies beneath that root, and
/// beside the root nothing changes.
///
/// The first line of the input is the path, and each further one something that is there: `d PATH`, a directory;
/// `f PATH`, a file; `l PATH TARGET`, a symlink.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzMountTarget(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    guard !input.utf8.contains(0) else { return 0 }  // config.json cannot name such a path
    let lines = input.split(separator: "\n", maxSplits: 16, omittingEmptySubsequences: false).map(String.init)
    do {
        let place = try Place()
        defer { place.remove() }
        for line in lines.dropFirst() { place.make(line) }
        for isDirectory in [true, false] { try place.expectBeneathRoot(lines[0], isDirectory) }
        let (whole, beside) = (try place.whole.entries(), try place.beside.entries())
        precondition(whole.sorted() == ["beside", "root"] && beside.isEmpty, "something beside the root")
    } catch {
        fatalError("\(error)")
    }
    return 0
}

/// A root to be filled, and a directory beside it.
private struct Place {
    let path = "/tmp/apus-fuzz-\(getpid())"
    let whole: FileDescriptor
    let root: FileDescriptor
    let beside: FileDescriptor

    init() throws {
        let here = FileDescriptor.workingDirectory
        try here.makeDirectories("\(path)/root")
        try here.makeDirectories("\(path)/beside")
        whole = try here.open(path, O_RDONLY | O_DIRECTORY)
        root = try here.open("\(path)/root", O_RDONLY | O_DIRECTORY)
        beside = try here.open("\(path)/beside", O_RDONLY | O_DIRECTORY)
    }

    func remove() {
        for directory in [whole, root, beside] { directory.closeQuietly() }
        do {
            try FileDescriptor.workingDirectory.removeTree(path)
        } catch {
            fatalError("\(error)")
        }
    }

    /// What cannot be made is left out.
    func make(_ line: String) {
        let words = line.split(separator: " ", maxSplits: 2).map(String.init)
        guard words.count >= 2, let slash = words[1].utf8.lastIndex(of: UInt8(ascii: "/")) else { return }
        let name = String(words[1].unicodeScalars[slash...].dropFirst())
        // `try?`: see above
        guard let parent = try? root.open(inRoot: "/" + String(words[1].unicodeScalars[..<slash]), O_PATH | O_DIRECTORY)
        else { return }
        defer { parent.closeQuietly() }
        switch words[0] {
        case "d": mkdirat(parent.rawValue, name, 0o755)
        case "f": close(openat(parent.rawValue, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o644))
        case "l" where words.count == 3: symlinkat(words[2], parent.rawValue, name)
        default: break
        }
    }

    func expectBeneathRoot(_ target: String, _ isDirectory: Bool) throws {
        let opened: FileDescriptor
        do throws(Failure) {
            opened = try MountTable(root: root, inUserNamespace: false).openTarget(target, directory: isDirectory)
        } catch {
            return  // refused
        }
        defer { opened.closeQuietly() }
        guard let found = FileDescriptor.workingDirectory.linkTarget(of: "/proc/self/fd/\(opened.rawValue)") else {
            fatalError("no path for the descriptor of '\(target)'")
        }
        precondition(found.utf8.starts(with: "\(path)/root/".utf8), "'\(target)' led to '\(found)'")
    }
}
