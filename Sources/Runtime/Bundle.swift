import Glibc
public import Linux
public import OCI
import Sandbox
import SystemPackage

/// A directory with a `config.json` and, by its word, a root file system.
public struct Bundle: Sendable {
    /// Absolute.
    public let path: String
    public private(set) var spec: Spec
    /// `config.json` as it is.
    let bytes: [UInt8]

    /// The most bytes of a `config.json`.
    private static let limit = 8 << 20

    /// Makes the bundle the working directory, since paths in its `config.json` are relative to it, and reads that.
    ///
    /// - Parameter path: Absolute, or relative to the working directory.
    public init(entering path: String) throws(Failure) {
        self.path = try Paths.absolute(path)
        do throws(SystemCallError) {
            try check("chdir", "'\(path)'") { chdir(path) }
        } catch {
            throw Failure("open bundle", path, error)
        }
        (spec, bytes) = try Self.read("config.json", in: .workingDirectory)
    }

    /// Refuses what could not act here, and completes what the specification leaves to the runtime.
    ///
    /// - Returns: What the user should know.
    mutating func examine() throws(Failure) -> [String] {
        do throws(SpecError) {
            let check = try SpecCheck(spec, bundle: path)
            spec = check.spec
            return check.warnings
        } catch {
            throw Failure("config.json", error.path, error.reason)
        }
    }

    /// Where the root file system is, absolute.
    var rootfs: String {
        let root = spec.root?.path ?? ""
        return root.utf8.first == UInt8(ascii: "/") ? root : "\(path)/\(root)"
    }

    static func spec(at name: String, in directory: FileDescriptor) throws(Failure) -> Spec {
        try read(name, in: directory).spec
    }

    private static func read(_ name: String, in directory: FileDescriptor) throws(Failure) -> (spec: Spec, [UInt8]) {
        let bytes: [UInt8]
        do throws(SystemCallError) {
            bytes = try directory.contents(of: name, limit: limit)
        } catch  where error.errno == .noSuchFileOrDirectory {
            throw Failure("", "", "JSON specification file \(name) not found")
        } catch  where error.errno == .invalidArgument {
            throw Failure("read", name, "not a regular file")
        } catch  where error.errno == .fileTooLarge {
            throw Failure("read", name, "larger than \(limit >> 20) MiB")
        } catch {
            throw Failure("read", name, error)
        }
        do throws(SpecError) {
            return (try Spec(json: bytes), bytes)
        } catch {
            throw Failure("read", name, "\(error)")
        }
    }
}
