public import Linux

/// One step of an image's making, as `history` shows it.
public struct ImageHistoryStep: Sendable, Hashable {
    /// The image itself for the last step; `nil` for those before, whose images were never here.
    public var id: Digest?
    /// RFC 3339.
    public var created: String?
    public var createdBy: String
    /// Of the layer that it made, unpacked, in bytes; 0 if it made none.
    public var size: Int64
    public var comment: String
}

extension ImageStore {
    /// The configuration of an image.
    public func config(of record: ImageRecord) throws(Failure) -> ImageConfig {
        try ImageConfig(json: contents(of: record.id, limit: ImageConfig.sizeLimit), of: record.familiar)
    }

    /// The manifest of an image.
    public func manifest(of record: ImageRecord) throws(Failure) -> Manifest {
        try Manifest(
            json: contents(of: record.manifest.digest, limit: Manifest.sizeLimit), as: record.manifest.mediaType,
            of: record.familiar)
    }

    /// How an image came to be, the last step first.
    public func history(of record: ImageRecord) throws(Failure) -> [ImageHistoryStep] {
        let config = try config(of: record)
        var sizes: [Int64] = []
        for chain in record.layers { sizes.append(try self.record(ofLayer: chain)?.size ?? 0) }
        var layers = sizes[...]
        var steps: [ImageHistoryStep] = []
        for step in config.history ?? [] {
            let size = step.emptyLayer == true ? 0 : layers.popFirst() ?? 0
            steps.append(
                ImageHistoryStep(
                    id: nil, created: step.created, createdBy: step.createdBy ?? "", size: size,
                    comment: step.comment ?? ""))
        }
        // Layers that no step speaks of, as images made by other tools have.
        for size in layers {
            steps.append(ImageHistoryStep(id: nil, created: nil, createdBy: "", size: size, comment: ""))
        }
        if !steps.isEmpty { steps[steps.count - 1].id = record.id }
        return steps.reversed()
    }
}
