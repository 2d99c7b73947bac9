import AsyncHTTPClient
import Images
import NIOCore
import NIOHTTP1

extension RegistryClient {
    /// Whether a repository has a blob.
    func hasBlob(_ digest: Digest, in repository: String) async throws(RequestFailure) -> Bool {
        let answer = try await request(
            .HEAD, "/v2/\(repository)/blobs/\(digest)", scopes: Self.pushScope(repository), accepted: [200, 404])
        return answer.status == 200
    }

    /// A small blob as a whole.
    func smallBlob(_ blob: Descriptor, in repository: String) async throws(RequestFailure) -> [UInt8] {
        try await retries.retrying { () async throws(RequestFailure) in
            let answer = try await self.once(
                .GET, "/v2/\(repository)/blobs/\(blob.digest)", scopes: Self.pullScope(repository))
            let bytes = try await answer.bytes(limit: Int(blob.size), timeouts: self.transport.timeouts)
            guard bytes.count == blob.size else {
                throw RequestFailure("it has \(bytes.count) bytes instead of \(blob.size)", isTransient: true)
            }
            let digest = Digest.of(bytes, blob.digest.algorithm)
            guard digest == blob.digest else {
                throw RequestFailure("its digest is \(digest) instead of \(blob.digest)")
            }
            return bytes
        }
    }

    /// Gets a blob from an offset on, and again from where it was cut off.
    ///
    /// - Parameters:
    ///   - offset: How many bytes are there already, at most the blob's size.
    ///   - take: Is given the bytes behind `offset` in their order, never more than the blob's size.
    func download(
        _ blob: Descriptor, in repository: String, from offset: Int64,
        take: (UnsafeRawBufferPointer) throws -> Void
    ) async throws(RequestFailure) {
        var position = offset
        var failures = 0
        while position < blob.size {
            let start = position
            let failure: RequestFailure
            do throws(RequestFailure) {
                try await part(of: blob, in: repository, position: &position, take: take)
                guard position < blob.size else { return }
                failure = RequestFailure(
                    "it was cut off after \(position) of \(blob.size) bytes", isTransient: true)
            } catch {
                failure = error
            }
            // What goes on is not failing; what comes a few bytes at a time is.
            failures = position - start >= Self.progressToGoOn ? 1 : failures + 1
            guard failure.isTransient, failures < retries.attempts else { throw failure }
            try await retries.pause(retries.wait(after: failures, asked: failure.retryAfter))
        }
    }

    /// How many bytes an attempt must have brought not to count as a failed one.
    private static let progressToGoOn: Int64 = 1 << 20

    private func part(
        of blob: Descriptor, in repository: String, position: inout Int64,
        take: (UnsafeRawBufferPointer) throws -> Void
    ) async throws(RequestFailure) {
        var headers = HTTPHeaders()
        if position > 0 { headers.add(name: "Range", value: "bytes=\(position)-") }
        let answer = try await once(
            .GET, "/v2/\(repository)/blobs/\(blob.digest)", scopes: Self.pullScope(repository), headers: headers,
            accepted: [200, 206])
        // One that does not know ranges begins anew.
        var skipped = answer.status == 206 ? 0 : position
        if answer.status == 206 { try Self.check(answer.headers, startsAt: position) }
        try Self.check(answer.headers, rest: blob.size - position + skipped)
        var pace = Pace(transport.timeouts)
        do {
            for try await buffer in answer.body {
                var buffer = buffer
                try pace.came(buffer.readableBytes)
                let over = min(skipped, Int64(buffer.readableBytes))
                buffer.moveReaderIndex(forwardBy: Int(over))
                skipped -= over
                guard position + Int64(buffer.readableBytes) <= blob.size else {
                    throw RequestFailure("it has more than the \(blob.size) bytes that the manifest says")
                }
                try buffer.withUnsafeReadableBytes(take)
                position += Int64(buffer.readableBytes)
            }
        } catch {
            throw RequestFailure(error, timeouts: transport.timeouts)
        }
    }

    private static func check(_ headers: HTTPHeaders, startsAt position: Int64) throws(RequestFailure) {
        let range = headers.first(name: "Content-Range") ?? ""
        guard range.hasPrefix("bytes \(position)-") else {
            throw RequestFailure("it was asked for byte \(position) on, and sends '\(range)'")
        }
    }

    private static func check(_ headers: HTTPHeaders, rest: Int64) throws(RequestFailure) {
        guard let length = headers.first(name: "Content-Length").flatMap({ Int64($0) }), length != rest else { return }
        throw RequestFailure("it announces \(length) bytes where \(rest) are left")
    }
}
