import Glibc
public import Images
import Linux
import Synchronization
public import SystemPackage

/// For a file or a pipe: a line for each step of a layer, and none for how far it is.
public final class LineProgress: TransferProgress {
    private let output: FileDescriptor
    private let last = Mutex<[Digest: String]>([:])

    public init(to output: FileDescriptor) { self.output = output }

    public func say(_ line: String) { last.withLock { _ in write(line) } }

    public func update(_ layer: Digest, _ state: LayerState) {
        last.withLock { last in
            let wording = state.wording
            guard last[layer] != wording else { return }
            last[layer] = wording
            if state.amount == nil { write("\(layer.short): \(wording)") }
        }
    }

    private func write(_ line: String) {
        // `try?`: nobody listening is no reason not to pull.
        try? output.writeFully(Array("\(line)\n".utf8))
    }
}
