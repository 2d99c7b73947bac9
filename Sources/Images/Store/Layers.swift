import CLinux
import Glibc
public import Linux
public import OCI
import SystemPackage

/// What is known of an unpacked layer: `layer.json` beside its files.
public struct LayerRecord: JSONMappable, Sendable, Hashable {
    /// Of the layer itself, uncompressed.
    public var diffID: Digest
    /// The chain ID of the layer below; `nil` for the lowest.
    public var parent: Digest?
    /// Of its files, in bytes; one with several names counts once.
    public var size: Int64
    /// Whether all files belong to the one who unpacked it, who has no subordinate IDs.
    public var hasOneOwner: Bool
    /// How many device nodes could not be made; the packed layer keeps them.
    public var omittedDevices: Int
    /// The boot in which it was made, until its files are on the disk.
    var boot: String?

    private var schemaVersion = 1

    public init(diffID: Digest, parent: Digest?, size: Int64, hasOneOwner: Bool = false, omittedDevices: Int = 0) {
        self.diffID = diffID
        self.parent = parent
        self.size = size
        self.hasOneOwner = hasOneOwner
        self.omittedDevices = omittedDevices
    }

    package init() { self.init(diffID: Digest(hex: ""), parent: nil, size: 0) }

    package mutating func map(_ fields: JSONFields) {
        fields.required("schemaVersion", &schemaVersion)
        fields.check("schemaVersion", schemaVersion == 1, expected: "1")
        fields.required("diffID", &diffID)
        fields.optional("parent", &parent)
        fields.required("size", &size)
        fields.required("hasOneOwner", &hasOneOwner)
        fields.required("omittedDevices", &omittedDevices)
        fields.optional("boot", &boot)
    }
}

extension ImageStore {
    /// Where the files of an unpacked layer are.
    ///
    /// - Parameter chain: Of it and all below it.
    public func path(ofLayer chain: Digest) -> String { "\(path)/\(Self.folder(of: chain))/diff" }

    static func folder(of chain: Digest) -> String { "layers/\(chain.hex)" }

    /// Keeps an unpacked layer, and all below it, from being removed for as long as the result lives.
    ///
    /// - Returns: Its directory, with `diff` in it; `nil` if there is none.
    public func openIfThere(layer chain: Digest) throws(Failure) -> Held? {
        let folder = Self.folder(of: chain)
        do throws(SystemCallError) {
            let opened = Held(try directory.open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
            _ = try opened.descriptor.lock(exclusive: false, wait: true)
            return try isSame(opened.descriptor, folder) ? opened : nil
        } catch  where error.errno == .noSuchFileOrDirectory {
            return nil
        } catch {
            throw Failure("open layer", "\(chain)", error)
        }
    }

    /// As `openIfThere(layer:)`.
    ///
    /// - Throws: Also when there is none.
    public func open(layer chain: Digest) throws(Failure) -> Held {
        guard let layer = try openIfThere(layer: chain) else {
            throw Failure("open layer", "\(chain)", "is not in the store", remedy: "pull the image again")
        }
        return layer
    }

    /// What is known of an unpacked layer.
    ///
    /// - Returns: `nil` if there is none.
    public func record(ofLayer chain: Digest) throws(Failure) -> LayerRecord? {
        let file = "\(Self.folder(of: chain))/layer.json"
        let bytes: [UInt8]
        do throws(SystemCallError) {
            bytes = try directory.contents(of: file, limit: 1 << 16)
        } catch  where error.errno == .noSuchFileOrDirectory {
            return nil
        } catch {
            throw Failure("read layer", "\(chain)", error)
        }
        do throws(SpecError) {
            return try LayerRecord(json: bytes)
        } catch {
            throw Failure("read layer", "\(path)/\(file)", "\(error)")
        }
    }

    /// What is not in the unpacked layers as the image has it.
    public func remarks(on image: ImageRecord) throws(Failure) -> ImageAssembly.Remarks {
        var remarks: ImageAssembly.Remarks = []
        for chain in image.layers {
            guard let layer = try record(ofLayer: chain) else { continue }
            if layer.hasOneOwner { remarks.insert(.hasOneOwner) }
            if layer.omittedDevices > 0 { remarks.insert(.omittedDevices) }
        }
        return remarks
    }
}
