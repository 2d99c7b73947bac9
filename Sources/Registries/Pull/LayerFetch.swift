import Images
import Linux

/// One layer's way from a registry into the store. It is unpacked while it comes.
struct LayerFetch: Sendable {
    let layer: Descriptor
    /// For errors: `layer 2 of 4 (3f4a1c2b9d0e)`.
    let name: String
    let image: String
    let places: [Resolution.Source]
    let store: ImageStore
    let assembly: ImageAssembly
    let progress: any TransferProgress

    func run() async throws(Failure) {
        let ingest = try await ingest()
        guard ingest.isResumed else {
            try assembly.unpack(ingest)
            return try await complete(ingest)
        }
        // What an earlier pull has left may be damaged: then all of it comes again, and nothing was unpacked from it.
        let failure: Failure
        do throws(Failure) {
            return try await complete(ingest)
        } catch {
            failure = error
        }
        guard ingest.offset == layer.size, !store.has(blob: layer.digest) else { throw failure }
        let again = try await self.ingest()
        try assembly.unpack(again)
        try await complete(again)
    }

    /// Waits while another process stores the same layer, without keeping a thread.
    private func ingest() async throws(Failure) -> BlobIngest {
        while true {
            if let ingest = try store.ingest(layer, wait: false) { return ingest }
            do {
                try await Task.sleep(for: .milliseconds(50))
            } catch {
                throw Failure("pull", image, "\(name): given up")
            }
        }
    }

    private func complete(_ ingest: BlobIngest) async throws(Failure) {
        do throws(Failure) {
            if !ingest.isComplete { try await download(to: ingest) }
            let held: Held
            do throws(Failure) {
                held = try ingest.finish()
            } catch {
                throw Failure("pull", image, "\(name): \(error.reason)", remedy: error.remedy)
            }
            assembly.hold(held)
            progress.update(layer.digest, .extracting)
        } catch {
            ingest.fail(error)
            throw error
        }
    }

    private func download(to ingest: BlobIngest) async throws(Failure) {
        var failure: Failure?
        for place in places {
            do throws(RequestFailure) {
                try await place.client.download(layer, in: place.repository, from: ingest.offset) { bytes in
                    try ingest.append(bytes)
                    progress.update(layer.digest, .downloading(ingest.offset, of: layer.size))
                }
                return
            } catch {
                failure = error.failure("pull", image, "\(name) from \(place.client.host)")
            }
        }
        throw failure ?? Failure("pull", image, "\(name): there is no place to pull it from")
    }
}
