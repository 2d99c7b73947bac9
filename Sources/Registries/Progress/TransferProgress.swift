public import Images

/// What becomes of a layer while it is pulled or pushed. The words are Docker's.
public enum LayerState: Sendable, Hashable {
    case waiting
    /// In bytes.
    case downloading(Int64, of: Int64)
    case extracting
    case pulled
    case alreadyExists
    case preparing
    /// In bytes.
    case pushing(Int64, of: Int64)
    case pushed
    case mounted(from: String)

    /// Without figures, which lines that stay do not have.
    public var wording: String {
        switch self {
        case .waiting: "Pulling fs layer"
        case .downloading: "Downloading"
        case .extracting: "Extracting"
        case .pulled: "Pull complete"
        case .alreadyExists: "Already exists"
        case .preparing: "Preparing"
        case .pushing: "Pushing"
        case .pushed: "Pushed"
        case .mounted(let source): "Mounted from \(source)"
        }
    }

    /// How much has come or gone, and of how much, in bytes.
    var amount: (done: Int64, total: Int64)? {
        switch self {
        case .downloading(let done, let total), .pushing(let done, let total): (done, total)
        default: nil
        }
    }
}

/// Where a transfer tells how far it is. It is called from several threads.
public protocol TransferProgress: Sendable {
    /// Something that concerns no layer: `latest: Pulling from library/alpine`.
    func say(_ line: String)
    func update(_ layer: Digest, _ state: LayerState)
}

/// For `--quiet`.
public struct SilentProgress: TransferProgress {
    public init() {}

    public func say(_ line: String) {}

    public func update(_ layer: Digest, _ state: LayerState) {}
}
