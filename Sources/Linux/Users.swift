import Glibc
public import SystemPackage

/// Who a process is to be, in numbers.
public struct ResolvedUser: Sendable, Hashable {
    /// The name in the passwd file; empty for a number without an entry.
    public var name: String
    public var uid: UInt32
    public var gid: UInt32
    /// The supplementary groups, the primary one first, none twice.
    public var additionalGIDs: [UInt32]
    /// The home directory; `/` where the passwd file has none.
    public var home: String

    public init(name: String, uid: UInt32, gid: UInt32, additionalGIDs: [UInt32], home: String) {
        self.name = name
        self.uid = uid
        self.gid = gid
        self.additionalGIDs = additionalGIDs
        self.home = home
    }
}

/// The users and groups that the root filesystem of a container knows.
///
/// The files come from an image, so a line that passwd(5) does not allow is passed over, never an error.
public struct UserDatabase: Sendable {
    private let passwd: [UInt8]
    private let group: [UInt8]

    /// The most bytes that either file may have.
    static let sizeLimit = 4 << 20

    /// - Parameters:
    ///   - passwd: The text of `/etc/passwd`.
    ///   - group: The text of `/etc/group`.
    public init(passwd: [UInt8], group: [UInt8]) {
        self.passwd = passwd
        self.group = group
    }

    /// Reads both files below `root`, through no link that leads outside of it; a missing file is an empty one.
    ///
    /// - Throws: When one cannot be read, is no regular file or has more than 4 MiB.
    public init(inRoot root: FileDescriptor) throws(Failure) {
        self.init(
            passwd: try Self.read("/etc/passwd", inRoot: root), group: try Self.read("/etc/group", inRoot: root))
    }

    private static func read(_ path: String, inRoot root: FileDescriptor) throws(Failure) -> [UInt8] {
        do throws(SystemCallError) {
            return try root.contents(inRoot: path, limit: sizeLimit)
        } catch  where error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory {
            return []
        } catch {
            throw Failure("read users of the root filesystem", "'\(path)'", error)
        }
    }

    /// Finds out who `user` is, by Docker's rules.
    ///
    /// - Parameters:
    ///   - user: `name`, `uid`, `name:group`, `uid:gid` or any mix of them; empty is user 0.
    ///     A number without an entry is taken as it is, with group 0. A group given here replaces
    ///     the groups that the group file lists for this user.
    ///   - additionalGroups: Names or numbers, as `--group-add` has them.
    /// - Throws: For a name without an entry and for a number beyond 4294967294.
    public func resolve(
        _ user: String, additionalGroups: [String] = []
    ) throws(Failure) -> ResolvedUser {
        let parts = user.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let groupName = parts.count > 1 ? parts[1] : ""
        var resolved = try account(named: parts[0].isEmpty ? "0" : parts[0])
        var additional: [UInt32] = []
        if !groupName.isEmpty {
            resolved.gid = try gid(named: groupName)
        } else if !resolved.name.isEmpty {
            additional = gids(ofMember: resolved.name)
        }
        for name in additionalGroups { additional.append(try gid(named: name)) }
        // The primary group comes first: a process that drops supplementary groups must not escape a
        // file mode that denies its own group (CVE-2022-36109).
        for gid in [resolved.gid] + additional where !resolved.additionalGIDs.contains(gid) {
            resolved.additionalGIDs.append(gid)
        }
        return resolved
    }

    /// The first entry with this name or number.
    private func account(named name: String) throws(Failure) -> ResolvedUser {
        let number = try Self.number(name, "user")
        var found: ResolvedUser?
        forEachRecord(in: passwd, fields: 6) { fields in
            guard found == nil, let uid = UInt32(digits: fields[2]), let gid = UInt32(digits: fields[3]),
                uid != .max, gid != .max, fields[0].elementsEqual(name.utf8) || uid == number
            else { return }
            let home = String(decoding: fields[5], as: UTF8.self)
            found = ResolvedUser(
                name: String(decoding: fields[0], as: UTF8.self), uid: uid, gid: gid, additionalGIDs: [],
                home: home.hasPrefix("/") ? home : "/")
        }
        if let found { return found }
        guard let number else {
            throw Failure("user", "'\(name)'", "unknown user: no entry in /etc/passwd of the root filesystem")
        }
        return ResolvedUser(name: "", uid: number, gid: 0, additionalGIDs: [], home: "/")
    }

    private func gid(named name: String) throws(Failure) -> UInt32 {
        let number = try Self.number(name, "group")
        var found: UInt32?
        forEachRecord(in: group, fields: 3) { fields in
            guard found == nil, let gid = UInt32(digits: fields[2]), gid != .max,
                fields[0].elementsEqual(name.utf8) || gid == number
            else { return }
            found = gid
        }
        guard let gid = found ?? number else {
            throw Failure("group", "'\(name)'", "unknown group: no entry in /etc/group of the root filesystem")
        }
        return gid
    }

    private func gids(ofMember name: String) -> [UInt32] {
        var gids: [UInt32] = []
        forEachRecord(in: group, fields: 4) { fields in
            guard let gid = UInt32(digits: fields[2]), gid != .max else { return }
            let members = fields[3].split(separator: UInt8(ascii: ","))
            if members.contains(where: { $0.elementsEqual(name.utf8) }) { gids.append(gid) }
        }
        return gids
    }

    /// `nil` for what is not a number; an error for one that no ID can be, as -1 is "leave it" to the kernel.
    private static func number(_ text: String, _ what: String) throws(Failure) -> UInt32? {
        let unsigned = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
        guard !unsigned.isEmpty, unsigned.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) else {
            return nil
        }
        guard let number = UInt32(digits: text.utf8), number != .max else {
            throw Failure(what, "'\(text)'", "out of range: IDs are 0 to 4294967294")
        }
        return number
    }
}
