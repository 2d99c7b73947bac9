import CLinux
import Glibc
import Linux
import OCI
import SystemPackage

/// A file in memory that a container gets.
public struct SecretFile: Sendable {
    /// Absolute in the container.
    public let target: String
    public let value: SecretValue
    /// The owner's; those of the command's user if `nil`.
    public let uid: UInt32?
    public let gid: UInt32?
    /// Permission bits.
    public let mode: UInt32

    public init(target: String, value: SecretValue, uid: UInt32?, gid: UInt32?, mode: UInt32) {
        self.target = target
        self.value = value
        self.uid = uid
        self.gid = gid
        self.mode = mode
    }
}

/// The file systems in memory that hold a container's secrets: put in place with its mounts, and filled once the root's
/// own files can say who the command's user is.
///
/// They are ramfs, which is never swapped, and read-only in the end.
struct SecretMounts {
    private var files: [(secret: SecretFile, file: FileDescriptor)] = []
    private var mounts: [FileDescriptor] = []
    /// Where the others are usually: there they are in a file system together, elsewhere each is a mount of its own.
    private static let directory = "/run/secrets"
    /// A directory of the host's that nothing needs any more when this covers it, in init's own mount namespace.
    private static let hiddenPlace = "/dev"

    /// Makes the places, while the host's paths are still there.
    init(_ secrets: [SecretFile], in table: MountTable) throws(Failure) {
        let common = secrets.filter { Self.isCommon($0.target) }
        let others = secrets.filter { !Self.isCommon($0.target) }
        if !common.isEmpty {
            let mount = try Self.makeFilesystem()
            mounts.append(mount)
            for secret in common { try add(secret, as: Self.name(of: secret.target), in: mount) }
            do throws(Failure) {
                try table.attach(mount, to: Self.directory, directory: true)
            } catch {
                var failure = error
                failure.remedy = failure.remedy ?? "make room with --tmpfs /run, or name another place with target=PATH"
                throw failure
            }
        }
        if !others.isEmpty { try addOthers(others, in: table) }
    }

    private static func isCommon(_ target: String) -> Bool {
        target.utf8.starts(with: "\(directory)/".utf8)
            && !target.utf8.dropFirst(directory.utf8.count + 1).contains(UInt8(ascii: "/"))
    }

    private static func name(of target: String) -> String { target.sides(ofLast: "/")?.behind ?? target }

    private static func makeFilesystem() throws(Failure) -> FileDescriptor {
        let attributes: MountAttributes = [.noSetuid, .noDevices, .noExecute]
        return try step("mount", directory) { () throws(SystemCallError) in
            do throws(SystemCallError) {
                return try Mount.make("ramfs", options: ["mode=755"], attributes: attributes)
            } catch  where error.errno == .operationNotSupportedByDevice {
                // A kernel without one.
                return try Mount.make("tmpfs", options: ["mode=755", "size=64m"], attributes: attributes)
            }
        }
    }

    private mutating func add(
        _ secret: SecretFile, as name: String, in mount: FileDescriptor
    ) throws(Failure) {
        let file = try step("make secret", secret.target) { () throws(SystemCallError) in
            try mount.open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0)
        }
        files.append((secret, file))
    }

    /// A file can only be taken out of a file system that has a place, so this one gets one where nobody sees it.
    private mutating func addOthers(_ secrets: [SecretFile], in table: MountTable) throws(Failure) {
        let mount = try Self.makeFilesystem()
        defer { mount.closeQuietly() }
        try step("mount", Self.hiddenPlace) { () throws(SystemCallError) in
            let place = try FileDescriptor.workingDirectory.open(Self.hiddenPlace, O_PATH | O_DIRECTORY)
            defer { place.closeQuietly() }
            try Mount.attach(mount, to: place, named: Self.hiddenPlace)
        }
        for (index, secret) in secrets.enumerated() {
            try add(secret, as: "\(index)", in: mount)
            let single = try step("mount", secret.target) { () throws(SystemCallError) in
                try Mount.clone(at: mount, "\(index)")
            }
            mounts.append(single)
            try table.attach(single, to: secret.target, directory: false)
        }
    }

    /// Writes the values, inside the root, and makes the mounts read-only.
    func fill(for user: Spec.User, groupNames: [String]) throws(Failure) {
        let owner = try Identity.resolve(user, groupNames: groupNames)
        for (secret, file) in files {
            try step("write secret", secret.target, remedy: "an owner must have an ID in the container") {
                () throws(SystemCallError) in
                try file.writeFully(secret.value.bytes)
                try check("fchown") { fchown(file.rawValue, secret.uid ?? owner.uid, secret.gid ?? owner.gid) }
                try check("fchmod") { fchmod(file.rawValue, mode_t(secret.mode)) }
            }
            file.closeQuietly()
        }
        for mount in mounts {
            try step("make read-only", Self.directory) { () throws(SystemCallError) in
                try Mount.setAttributes(of: mount, set: .readOnly)
            }
            mount.closeQuietly()
        }
    }
}
