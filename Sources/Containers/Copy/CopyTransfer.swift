import CLinux
import Glibc
import Linux
import OCI
import Sandbox
import SystemPackage

/// A tar stream between two processes, each confined to where it works.
enum CopyTransfer {
    /// Where a child process works.
    enum Side {
        case inside(RootVisit)
        /// On this machine's side.
        ///
        /// - Parameter confined: Whether it is to confine itself to a directory, which an ordinary user may do only in
        ///   a user namespace. There, other users' IDs are not seen.
        case outside(confined: Bool)

        func start(_ body: () throws(Failure) -> Void) throws(Failure) -> Errand {
            switch self {
            case .inside(let visit): try visit.start(body)
            case .outside(let confined): try Errand.start(in: confined && geteuid() != 0 ? .user : [], body)
            }
        }
    }

    /// Has one process write a tar stream and another take it apart.
    ///
    /// - Returns: The stream's size in bytes.
    static func transfer(
        _ write: (FileDescriptor) throws(Failure) -> Void, _ sourceSide: Side, to target: CopyTarget, _ targetSide: Side
    ) throws -> Int64 {
        let (read, end) = try FileDescriptor.makePipe()
        let reader: Errand
        do {
            reader = try startReader(write, sourceSide, read, end)
        } catch {
            read.closeQuietly()
            throw error
        }
        let size: Int64
        do {
            size = try receive(into: target, targetSide, from: read)
        } catch {
            read.closeQuietly()
            // Where both fail the source's failure is the cause, unless it failed because nobody read on.
            try finish(reader, mayBeBroken: true)
            throw error
        }
        read.closeQuietly()
        try finish(reader, mayBeBroken: false)
        return size
    }

    private static func finish(_ reader: Errand, mayBeBroken: Bool) throws(Failure) {
        do throws(Failure) {
            try reader.finish()
        } catch {
            if !mayBeBroken || !error.isBrokenPipe { throw error }
        }
    }

    private static func startReader(
        _ write: (FileDescriptor) throws(Failure) -> Void, _ side: Side, _ read: FileDescriptor, _ end: FileDescriptor
    ) throws(Failure) -> Errand {
        defer { end.closeQuietly() }
        return try side.start { () throws(Failure) in
            read.closeQuietly()  // or a target that fails would never break the pipe
            try write(end)
        }
    }

    /// Has a process take a tar stream apart.
    ///
    /// - Returns: Its size in bytes.
    static func receive(into target: CopyTarget, _ side: Side, from stream: FileDescriptor) throws -> Int64 {
        let (read, write) = try FileDescriptor.makePipe()
        defer { read.closeQuietly() }
        let writer = try startWriter(target, side, stream, reportingTo: write)
        let size = try read.readAll(limit: 64)
        try writer.finish()
        return Int64(String(decoding: size, as: UTF8.self)) ?? 0
    }

    private static func startWriter(
        _ target: CopyTarget, _ side: Side, _ stream: FileDescriptor, reportingTo report: FileDescriptor
    ) throws(Failure) -> Errand {
        defer { report.closeQuietly() }
        return try side.start { () throws(Failure) in
            let size = try target.read(from: stream)
            try? report.writeFully("\(size)".utf8)  // `try?`: a parent that is gone wants no number
        }
    }
}
