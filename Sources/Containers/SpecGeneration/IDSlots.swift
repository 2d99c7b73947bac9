import Linux

/// User and group IDs of the host, as many of each, that one container has for itself.
public struct IDSlot: Sendable, Equatable {
    /// The first user ID.
    public var uid: UInt32
    /// The first group ID.
    public var gid: UInt32
    /// How many of each, at least 1.
    public var size: UInt32

    /// Whether two containers with these would share an ID.
    func overlaps(_ other: IDSlot) -> Bool {
        Self.overlap(uid, size, other.uid, other.size) || Self.overlap(gid, size, other.gid, other.size)
    }

    private static func overlap(_ one: UInt32, _ count: UInt32, _ other: UInt32, _ otherCount: UInt32) -> Bool {
        one < other ? other - one < count : one - other < otherCount
    }
}

extension IDSlot {
    /// Reads what `text` wrote; `nil` for anything else.
    init?(text: String) {
        let numbers = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt32($0) }
        guard numbers.count == 3, let uid = numbers[0], let gid = numbers[1], let size = numbers[2] else { return nil }
        self.init(uid: uid, gid: gid, size: size)
    }

    /// As a container's record has it: `UID-GID-SIZE`.
    var text: String { "\(uid)-\(gid)-\(size)" }
}

/// The slots that ranges of IDs are divided into, all of one size: 65536 where there is room for 16 of them, and else a
/// sixteenth of the IDs, but at least 1024, so that those who have few can run more than one container.
public struct IDSlots: Sendable {
    static let largestSize: UInt32 = 65536
    private static let smallestSize: UInt32 = 1024
    private static let wanted: UInt32 = 16

    private let uids: [IDRange]
    private let gids: [IDRange]
    private let size: UInt32
    /// At least 1.
    let count: UInt32

    /// - Parameters:
    ///   - uids: At least one.
    ///   - gids: At least one.
    init(uids: [IDRange], gids: [IDRange]) {
        let available = min(Self.largest(uids), Self.largest(gids))
        var size = Self.largestSize
        while size > Self.smallestSize, size > available / Self.wanted { size /= 2 }
        self.size = min(size, available)
        self.uids = uids
        self.gids = gids
        count = min(Self.count(uids, self.size), Self.count(gids, self.size))
    }

    /// - Parameter index: Below `count`.
    subscript(index: UInt32) -> IDSlot {
        IDSlot(uid: Self.first(index, uids, size), gid: Self.first(index, gids, size), size: size)
    }

    /// The first slot from `start` on, and then from the beginning, that shares no ID with those that are taken.
    func free(from start: UInt32, besides taken: [IDSlot]) -> IDSlot? {
        for offset in 0..<count {
            let slot = self[UInt32((UInt64(start) + UInt64(offset)) % UInt64(count))]
            if !taken.contains(where: slot.overlaps) { return slot }
        }
        return nil
    }

    private static func largest(_ ranges: [IDRange]) -> UInt32 { ranges.map(\.count).max() ?? 0 }

    private static func count(_ ranges: [IDRange], _ size: UInt32) -> UInt32 {
        ranges.reduce(0) { $0 + $1.count / size }
    }

    private static func first(_ index: UInt32, _ ranges: [IDRange], _ size: UInt32) -> UInt32 {
        var rest = index
        for range in ranges {
            if rest < range.count / size { return range.first + rest * size }
            rest -= range.count / size
        }
        return 0
    }
}
