import Images
import OCI

/// A small image in memory.
struct TestImage: Sendable {
    let layers: [[UInt8]]
    let config: [UInt8]
    let manifest: [UInt8]

    static let layerType = "application/vnd.oci.image.layer.v1.tar"

    /// - Parameters:
    ///   - contents: Of each layer's only file, `file<N>`.
    ///   - layerType: What the manifest says that the layers are.
    init(
        _ contents: [String] = ["one", "two"], layerType: String = Self.layerType,
        architecture: String = Platform.host.architecture
    ) {
        layers = contents.enumerated().map { Self.tar("file\($0.offset)", Array($0.element.utf8)) }
        let diffs = layers.map { "\"\(Digest.of($0))\"" }.joined(separator: ",")
        config = Array(
            #"{"architecture":"\#(architecture)","os":"linux","config":{"Cmd":["/bin/true"]},"rootfs":{"type":"layers","diff_ids":[\#(diffs)]}}"#
                .utf8)
        let descriptors = layers.map { Self.descriptor($0, layerType) }.joined(separator: ",")
        manifest = Array(
            #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociManifest)","config":\#(Self.descriptor(config, MediaType.ociConfig.rawValue)),"layers":[\#(descriptors)]}"#
                .utf8)
    }

    static func descriptor(_ bytes: [UInt8], _ type: String, _ more: String = "") -> String {
        #"{"mediaType":"\#(type)","digest":"\#(Digest.of(bytes))","size":\#(bytes.count)\#(more)}"#
    }

    /// An index over some manifests.
    static func index(_ descriptors: [String]) -> [UInt8] {
        Array(
            #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociIndex)","manifests":[\#(descriptors.joined(separator: ","))]}"#
                .utf8)
    }

    /// What a registry answers by path, for the repository `a`.
    var paths: [String: (type: String, bytes: [UInt8])] {
        var paths: [String: (type: String, bytes: [UInt8])] = [:]
        for reference in ["latest", Digest.of(manifest).description] {
            paths["/v2/a/manifests/\(reference)"] = (MediaType.ociManifest.rawValue, manifest)
        }
        for blob in layers + [config] {
            paths["/v2/a/blobs/\(Digest.of(blob))"] = ("application/octet-stream", blob)
        }
        return paths
    }

    /// A tar archive with one file.
    static func tar(_ name: String, _ content: [UInt8]) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            header.replaceSubrange(offset..<(offset + text.utf8.count), with: text.utf8)
        }
        func octal(_ value: Int, _ digits: Int) -> String {
            let text = String(value, radix: 8)
            return String(repeating: "0", count: digits - text.count) + text
        }
        put(name, at: 0)
        put(octal(0o644, 7), at: 100)
        put(octal(0, 7), at: 108)
        put(octal(0, 7), at: 116)
        put(octal(content.count, 11), at: 124)
        put(octal(0, 11), at: 136)
        put("        ", at: 148)
        put("0", at: 156)
        put("ustar", at: 257)
        put("00", at: 263)
        put(octal(header.reduce(0) { $0 + Int($1) }, 6), at: 148)
        header[154] = 0
        let padding = [UInt8](repeating: 0, count: (512 - content.count % 512) % 512 + 1024)
        return header + content + padding
    }
}
