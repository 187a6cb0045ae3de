/* No guard: turns the field rows of a .def file into rows of a table; "self"
 * is a typedef of the struct. */
#define REC_NONE REC_ROW(none, REC_T_U8, 0)
#define REC_ROW(f, t, max) { #f, t, (uint32_t)offsetof(self, f), max },
#define REC_U8(f) REC_ROW(f, REC_T_U8, 0)
#define REC_U16(f) REC_ROW(f, REC_T_U16, 0)
#define REC_U32(f) REC_ROW(f, REC_T_U32, 0)
#define REC_U64(f) REC_ROW(f, REC_T_U64, 0)
#define REC_UUID(f) REC_ROW(f, REC_T_UUID, 0)
#define REC_STR(f, max) REC_ROW(f, REC_T_STR, max)
#define REC_SECRET(f, max) REC_ROW(f, REC_T_SECRET, max)
#define REC_BLOB(f, max) REC_ROW(f, REC_T_BLOB, max)
