extension [String] {
    /// Reads a JSON text that is a list of strings and nothing else, such as `["a","b"]`.
    ///
    /// - Parameter limit: The most bytes that it may have, below 4 GiB.
    /// - Throws: With an empty path when it is no list, or no JSON; with the element's, such as `[1]`, when that is no string.
    package init(json: [UInt8], limit: Int = JSONDocument.sizeLimit) throws(SpecError) {
        let document = try JSONDocument(json, limit: limit)
        let fields = JSONFields(reading: document)
        let list = Self.read(from: fields, at: JSONPlace(document: document, index: 0))
        if let error = fields.error { throw error }
        self = list ?? []
    }
}
