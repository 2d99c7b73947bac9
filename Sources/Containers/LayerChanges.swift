import CLinux
import Glibc
import Linux
import OCI
import Sandbox
import SystemPackage

/// One line of `diff`.
public struct LayerChange: Sendable, Hashable {
    public enum Kind: String, Sendable {
        case added = "A"
        case changed = "C"
        case deleted = "D"
    }

    public let kind: Kind
    /// Absolute in the container.
    public let path: String

    public init(_ kind: Kind, _ path: String) {
        self.kind = kind
        self.path = path
    }
}

/// Finds what a container has changed in its root, by comparing what it wrote with what is below.
///
/// As Docker reports it: a directory is changed when something in it is, and one that is deleted or new speaks for what
/// was in it, or is listed with all that is in it.
struct LayerComparison {
    /// Where mounts were, for which Apus may have made the place.
    let mountPoints: Set<String>
    /// Whether a copy keeps the owners of the original: an ordinary user's cannot.
    let comparesOwners: Bool
    /// From the owners below a layer to those in it, for a root that is mapped; none where they are the same.
    private var uids: [Spec.IDMapping] = []
    private var gids: [Spec.IDMapping] = []
    private(set) var changes: [LayerChange] = []

    init(mountPoints: Set<String>, comparesOwners: Bool = true) {
        self.mountPoints = mountPoints
        self.comparesOwners = comparesOwners
    }

    /// Takes note that in layers the owners are those of this machine, while below they are those in the container.
    mutating func mapOwners(_ uids: [Spec.IDMapping], _ gids: [Spec.IDMapping]) {
        (self.uids, self.gids) = (uids, gids)
    }

    /// Whether an owner below is the one above. One who has no ID here is not kept by a layer of an ordinary user's.
    private func isOwner(_ below: UInt32, _ maps: [Spec.IDMapping], _ above: UInt32) -> Bool {
        Self.map(below, maps) == above || (!comparesOwners && below == 65534)
    }

    private static func map(_ id: UInt32, _ maps: [Spec.IDMapping]) -> UInt32 {
        for map in maps where id >= map.containerID && id - map.containerID < map.size {
            return map.hostID + (id - map.containerID)
        }
        return id
    }

    /// Compares the upper directory of an overlay with its lower one.
    ///
    /// - Parameter path: Where the overlay is mounted in the container: `/` or `/usr`.
    mutating func compareOverlay(
        upper: FileDescriptor, lower: FileDescriptor?, at path: String
    ) throws(SystemCallError) {
        for name in try upper.fileNames().sorted() {
            let here = path == "/" ? "/\(name)" : "\(path)/\(name)"
            try compareOverlayEntry(name, here, upper, lower)
        }
    }

    /// Lists the directory that a layer of its own lies over.
    mutating func markChanged(_ path: String) {
        changes.append(LayerChange(.changed, path))
    }

    private mutating func compareOverlayEntry(
        _ name: FileName, _ here: String, _ upper: FileDescriptor, _ lower: FileDescriptor?
    ) throws(SystemCallError) {
        let status = try upper.status(of: name)
        let before = try Self.status(of: name, in: lower)
        if try Self.isWhiteout(name, status, in: upper) {
            if before != nil { changes.append(LayerChange(.deleted, here)) }
            return
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            if before == nil && mountPoints.contains(here) { return }
            changes.append(LayerChange(before == nil ? .added : .changed, here))
            return
        }
        let position = changes.count
        let directory = try upper.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        defer { directory.closeQuietly() }
        let wasDirectory = before.map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
        let below = wasDirectory ? try Self.openReadable(name, in: lower) : nil
        defer { below?.closeQuietly() }
        try compareOverlay(upper: directory, lower: below, at: here)
        if let below, OverlayMarks.isOpaque(directory) { try addDeletions(of: below, notIn: directory, at: here) }
        insertDirectory(here, at: position, status, before)
    }

    /// Lists a directory before what is in it, if anything about it is worth saying.
    private mutating func insertDirectory(
        _ path: String, at position: Int, _ status: FileStatus, _ before: FileStatus?
    ) {
        let hasChanges = changes.count > position
        guard let before else {
            let isMadeForMount = mountPoints.contains { $0 == path || $0.hasBytes(ofPrefix: "\(path)/") }
            if hasChanges || !isMadeForMount { changes.insert(LayerChange(.added, path), at: position) }
            return
        }
        let isSame =
            before.st_mode == status.st_mode && isOwner(before.st_uid, uids, status.st_uid)
            && isOwner(before.st_gid, gids, status.st_gid)
        if hasChanges || !isSame { changes.insert(LayerChange(.changed, path), at: position) }
    }

    private mutating func addDeletions(
        of lower: FileDescriptor, notIn upper: FileDescriptor, at path: String
    ) throws(SystemCallError) {
        for name in try lower.fileNames().sorted() where !upper.has(name) {
            changes.append(LayerChange(.deleted, "\(path)/\(name)"))
        }
    }

    /// Compares a copy of a root with the original.
    mutating func compareCopy(
        _ copy: FileDescriptor, original: FileDescriptor, at path: String
    ) throws(SystemCallError) {
        let names = Set(try copy.fileNames()).union(try original.fileNames())
        for name in names.sorted() {
            let here = path == "/" ? "/\(name)" : "\(path)/\(name)"
            let after = try Self.status(of: name, in: copy)
            let before = try Self.status(of: name, in: original)
            switch (before, after) {
            case (nil, nil): continue
            case (_?, nil): changes.append(LayerChange(.deleted, here))
            case (nil, let after?): try addAll(name, here, after, in: copy)
            case (let before?, let after?): try compare(name, here, (copy, after), (original, before))
            }
        }
    }

    private mutating func addAll(
        _ name: FileName, _ here: String, _ status: FileStatus, in parent: FileDescriptor
    ) throws(SystemCallError) {
        let position = changes.count
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        if isDirectory {
            let directory = try parent.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            defer { directory.closeQuietly() }
            for child in try directory.fileNames().sorted() {
                let status = try directory.status(of: child)
                try addAll(child, "\(here)/\(child)", status, in: directory)
            }
        }
        let isMadeForMount = mountPoints.contains { $0 == here || (isDirectory && $0.hasBytes(ofPrefix: "\(here)/")) }
        if changes.count > position || !isMadeForMount { changes.insert(LayerChange(.added, here), at: position) }
    }

    private mutating func compare(
        _ name: FileName, _ here: String, _ copy: (parent: FileDescriptor, status: FileStatus),
        _ original: (parent: FileDescriptor, status: FileStatus)
    ) throws(SystemCallError) {
        let (after, before) = (copy.status, original.status)
        let position = changes.count
        let areDirectories = after.st_mode & S_IFMT == S_IFDIR && before.st_mode & S_IFMT == S_IFDIR
        if areDirectories {
            let one = try copy.parent.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            defer { one.closeQuietly() }
            let other = try original.parent.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            defer { other.closeQuietly() }
            try compareCopy(one, original: other, at: here)
        }
        let sameContent =
            areDirectories
            || (after.st_size == before.st_size && after.st_mtim.tv_sec == before.st_mtim.tv_sec
                && after.st_mtim.tv_nsec == before.st_mtim.tv_nsec && after.st_rdev == before.st_rdev)
        let sameOwner = !comparesOwners || (after.st_uid == before.st_uid && after.st_gid == before.st_gid)
        let isSame = sameContent && sameOwner && after.st_mode == before.st_mode
        if !isSame || changes.count > position { changes.insert(LayerChange(.changed, here), at: position) }
    }

    /// - Returns: `nil` for a directory that may not be read: what is in it could not be changed either.
    private static func openReadable(
        _ name: FileName, in directory: FileDescriptor?
    ) throws(SystemCallError) -> FileDescriptor? {
        do {
            return try directory?.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        } catch  where error.errno == .permissionDenied {
            return nil
        }
    }

    private static func status(
        of name: FileName, in directory: FileDescriptor?
    ) throws(SystemCallError) -> FileStatus? {
        guard let directory else { return nil }
        do {
            return try directory.status(of: name)
        } catch  where error.errno == .noSuchFileOrDirectory || error.errno == .permissionDenied {
            return nil
        }
    }

    private static func isWhiteout(
        _ name: FileName, _ status: FileStatus, in directory: FileDescriptor
    ) throws(SystemCallError) -> Bool {
        if status.st_mode & S_IFMT == S_IFCHR { return status.st_rdev == 0 }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_size == 0 else { return false }
        let file = try directory.open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        defer { file.closeQuietly() }
        return OverlayMarks.isWhiteout(file)
    }
}
