/// A place for images that is no registry, as skopeo and podman spell it.
public struct Transport: Sendable, Hashable {
    public enum Kind: String, Sendable, CaseIterable {
        /// A directory that is an OCI image layout.
        case oci
        /// The same as a tar archive.
        case ociArchive = "oci-archive"
        /// What `docker save` writes.
        case dockerArchive = "docker-archive"
        /// A directory with the manifest and the blobs of one image, as skopeo has it.
        case dir
    }

    public let kind: Kind
    /// Of a file or a directory.
    public let path: String
    /// Which image there, if it is given.
    public let reference: String?

    public init(_ kind: Kind, path: String, reference: String? = nil) {
        self.kind = kind
        self.path = path
        self.reference = reference
    }

    /// Reads `oci:DIR[:REF]`, `oci-archive:FILE[:REF]`, `docker-archive:FILE[:REF]` or `dir:DIR`.
    ///
    /// - Returns: `nil` for anything else, such as the name of an image.
    public init?(_ text: String) {
        guard let colon = text.firstIndex(of: ":"), let kind = Kind(rawValue: String(text[..<colon])) else {
            return nil
        }
        let rest = text[text.index(after: colon)...]
        guard !rest.isEmpty else { return nil }
        guard kind != .dir, let end = rest.firstIndex(of: ":") else {
            self.init(kind, path: String(rest))
            return
        }
        let reference = String(rest[rest.index(after: end)...])
        self.init(kind, path: String(rest[..<end]), reference: reference.isEmpty ? nil : reference)
    }
}
