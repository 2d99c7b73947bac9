import Containers
import Formats
import Images

/// One name of an image, as `images` shows it.
struct ImageRow {
    let record: ImageRecord
    /// How many containers are made of it.
    let containers: Int
    let isTruncated: Bool

    static func listing(withDigest: Bool) -> Listing {
        let digest = withDigest ? ["Digest"] : []
        return Listing(titles: titles, columns: ["Repository", "Tag"] + digest + ["ID", "CreatedSince", "Size"])
    }

    private static let titles = [
        "ID": "IMAGE ID", "Repository": "REPOSITORY", "Tag": "TAG", "Digest": "DIGEST", "CreatedSince": "CREATED",
        "CreatedAt": "CREATED AT", "Size": "SIZE", "Containers": "CONTAINERS", "SharedSize": "SHARED SIZE",
        "UniqueSize": "UNIQUE SIZE", "VirtualSize": "VIRTUAL SIZE",
    ]

    var shownID: String { isTruncated ? record.id.short : record.id.description }

    /// When it was made; the beginning of all time where it does not say.
    var created: Timestamp { record.created.flatMap { Timestamp(rfc3339: $0) } ?? Timestamp(nanoseconds: 0) }

    var value: Value {
        [
            "Containers": .string("\(containers)"), "CreatedAt": .string(created.local),
            "CreatedSince": .string("\(created.age) ago"), "Digest": .string(digest), "ID": .string(shownID),
            "Repository": .string(record.reference?.familiarName ?? "<none>"), "SharedSize": "N/A",
            "Size": .string(size), "Tag": .string(record.reference?.tag ?? "<none>"), "UniqueSize": "N/A",
            "VirtualSize": .string(size),
        ]
    }

    private var size: String { ByteSize.decimal(UInt64(clamping: record.size)) }

    /// That of its registry, which only those have that were pulled or pushed.
    private var digest: String {
        guard let reference = record.reference else { return "<none>" }
        if let digest = reference.digest { return digest.description }
        let prefix = "\(reference.familiarName)@"
        return record.repoDigests.first { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) } ?? "<none>"
    }
}
