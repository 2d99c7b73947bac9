import Images
import NIOHTTP1
import SystemPackage

extension RegistryClient {
    /// The scope of requests that write to a repository.
    static func pushScope(_ repository: String) -> [String] { ["repository:\(repository):pull,push"] }

    /// How a blob came to be in a repository.
    enum UploadOutcome: Sendable {
        case uploaded
        /// It was in another repository of the registry.
        case mounted
    }

    /// Up to this size a blob is sent from memory, in bytes: that takes no task beside the request's own.
    private static let atOnceSize: Int64 = 512 << 10

    /// The size of a piece where a registry does not take a blob as a whole, in bytes.
    private static let pieceSize: Int64 = 16 << 20

    /// Puts a blob into a repository.
    ///
    /// - Parameters:
    ///   - file: With the blob alone, open for reading.
    ///   - source: Another repository of this registry that may have it.
    ///   - progress: Told how many bytes have gone; it can go back.
    func upload(
        _ blob: Descriptor, from file: FileDescriptor, to repository: String, mountingFrom source: String?,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws(RequestFailure) -> UploadOutcome {
        var inPieces = false
        var failures = 0
        while true {
            let failure: RequestFailure
            do throws(RequestFailure) {
                let begun = try await begin(blob.digest, repository, source)
                guard let location = begun.location else { return .mounted }
                if inPieces {
                    try await pieces(blob, file, location, minimum: begun.minimum, repository, progress)
                } else {
                    try await whole(blob, file, location, repository, progress)
                }
                return .uploaded
            } catch {
                failure = error
            }
            // 413: a proxy before the registry does not let so much through at once.
            let isTooLarge = failure.status == 413 && !inPieces
            failures += 1
            guard isTooLarge || failure.isTransient, failures < retries.attempts else { throw failure }
            // An outage in a large upload is no reason to begin anew with all of it the next time.
            inPieces = inPieces || isTooLarge || blob.size > Self.pieceSize
            if !isTooLarge { try await retries.pause(retries.wait(after: failures, asked: failure.retryAfter)) }
        }
    }

    /// - Returns: No location if there is nothing left to do.
    private func begin(
        _ digest: Digest, _ repository: String, _ source: String?
    ) async throws(RequestFailure) -> (location: WebAddress?, minimum: Int64) {
        var path = "/v2/\(repository)/blobs/uploads/"
        var scopes = Self.pushScope(repository)
        if let source {
            path += "?mount=\(WebAddress.encoded(digest.description))&from=\(WebAddress.encoded(source))"
            scopes += Self.pullScope(source)
        }
        let answer = try await request(.POST, path, scopes: scopes, body: .bytes([]), accepted: [201, 202])
        if answer.status == 201 { return (nil, 0) }
        guard let location = answer.location() else { throw RequestFailure("it does not say where to upload to") }
        let minimum = answer.headers.first(name: "OCI-Chunk-Min-Length").flatMap { Int64($0) } ?? 0
        return (location, minimum)
    }

    private func whole(
        _ blob: Descriptor, _ file: FileDescriptor, _ location: WebAddress, _ repository: String,
        _ progress: @escaping @Sendable (Int64) -> Void
    ) async throws(RequestFailure) {
        let part = FilePart(file: file, start: 0, count: blob.size, progress: progress)
        let body: RequestBody = blob.size > Self.atOnceSize ? .file(part) : .bytes(try await part.bytes())
        _ = try await once(
            .PUT, at: location.adding("digest", blob.digest.description), scopes: Self.pushScope(repository),
            headers: ["Content-Type": "application/octet-stream"], body: body,
            accepted: [201, 204])
    }

    /// - Parameter minimum: The smallest piece that the registry takes, but for the last one, in bytes.
    private func pieces(
        _ blob: Descriptor, _ file: FileDescriptor, _ location: WebAddress, minimum: Int64, _ repository: String,
        _ progress: @escaping @Sendable (Int64) -> Void
    ) async throws(RequestFailure) {
        var location = location
        var offset: Int64 = 0
        var failures = 0
        while offset < blob.size {
            let start = offset
            let count = min(max(Self.pieceSize, minimum), blob.size - start)
            let part = FilePart(file: file, start: start, count: count) { progress(start + $0) }
            let failure: RequestFailure
            do throws(RequestFailure) {
                let answer = try await once(
                    .PATCH, at: location, scopes: Self.pushScope(repository),
                    headers: [
                        "Content-Type": "application/octet-stream", "Content-Range": "\(start)-\(start + count - 1)",
                    ], body: .file(part), accepted: [202, 204])
                location = answer.location() ?? location
                offset = start + count
                failures = 0
                continue
            } catch {
                failure = error
            }
            failures += 1
            guard failure.isTransient, failures < retries.attempts else { throw failure }
            try await retries.pause(retries.wait(after: failures, asked: failure.retryAfter))
            (location, offset) = try await state(location, repository)
        }
        _ = try await once(
            .PUT, at: location.adding("digest", blob.digest.description), scopes: Self.pushScope(repository),
            body: .bytes([]), accepted: [201, 204])
    }

    /// Where an upload that was cut off goes on.
    private func state(
        _ location: WebAddress, _ repository: String
    ) async throws(RequestFailure) -> (WebAddress, Int64) {
        let answer = try await once(.GET, at: location, scopes: Self.pushScope(repository), accepted: [204])
        // `0-1023`, or `bytes=0-1023`; some say `0-0` of nothing.
        let end = answer.headers.first(name: "Range")?.split(separator: "-").last.flatMap { Int64($0) } ?? 0
        return (answer.location() ?? location, end > 0 ? end + 1 : 0)
    }
}
