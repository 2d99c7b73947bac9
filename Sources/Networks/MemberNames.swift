import CLinux
import Glibc
import Linux
import SystemPackage

/// The lines of /etc/hosts by which the members of a network find each other.
enum MemberNames {
    /// Brings every member's file up to date.
    ///
    /// The caller holds the network's lock. A file is changed in place, since containers see it by a bind mount, and with
    /// one write(2): whoever reads meanwhile finds whole lines.
    ///
    /// - Parameter containers: The directory that has a directory with `hosts` for each container.
    static func update(_ network: Network, _ members: [NetworkMember], in containers: FileDescriptor) throws(Failure) {
        guard network.hasNames else { return }
        for member in members {
            do throws(SystemCallError) {
                try rewrite("\(member.container)/hosts", in: containers) {
                    replace(in: $0, network.name, with: lines(of: members))
                }
            } catch  where error.errno == .noSuchFileOrDirectory {
                continue  // it is about to write its own, or has none
            } catch {
                throw Failure("write", "hosts of container \(member.containerName)", error)
            }
        }
    }

    /// Takes the network's lines out of a container's file.
    static func remove(_ network: Network, from container: String, in containers: FileDescriptor) {
        // `try?`: the file goes with its container
        try? rewrite("\(container)/hosts", in: containers) { replace(in: $0, network.name, with: []) }
    }

    static func lines(of members: [NetworkMember]) -> [String] {
        members.flatMap { member in
            member.addresses.map { "\($0.text)\t\(member.names.joined(separator: " "))" }
        }
    }

    /// Puts a network's lines between two marks, in the place of those that stand there.
    static func replace(in text: String, _ network: String, with lines: [String]) -> String {
        let (begin, end) = ("# network \(network)", "# end of network \(network)")
        var kept = text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
        if kept.last == "" { kept.removeLast() }
        if let first = kept.firstIndex(of: begin), let last = kept[first...].firstIndex(of: end) {
            kept.removeSubrange(first...last)
        }
        while kept.last == "" { kept.removeLast() }  // what padded an older content
        if !lines.isEmpty { kept += [begin] + lines + [end] }
        return kept.joined(separator: "\n") + "\n"
    }

    private static func rewrite(
        _ path: String, in directory: FileDescriptor, _ change: (String) -> String
    ) throws(SystemCallError) {
        let file = try directory.open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK)
        defer { file.closeQuietly() }
        let old = try file.readAll(limit: 1 << 20)
        let new = Array(change(String(decoding: old, as: UTF8.self)).utf8)
        // As long as the old one first: behind a shorter one, the rest of that would still stand there.
        let padded = new + Array(repeating: UInt8(ascii: "\n"), count: max(0, old.count - new.count))
        try check("pwrite", "'\(path)'") { CInt(truncatingIfNeeded: pwrite(file.rawValue, padded, padded.count, 0)) }
        try check("ftruncate", "'\(path)'") { ftruncate(file.rawValue, new.count) }
    }
}
