import Images
import Registries
import Synchronization

/// What was told of each layer last.
final class Log: TransferProgress {
    private let last = Mutex<[Digest: LayerState]>([:])

    var states: [Digest: LayerState] { last.withLock { $0 } }

    func say(_ line: String) {}

    func update(_ layer: Digest, _ state: LayerState) { last.withLock { $0[layer] = state } }
}
