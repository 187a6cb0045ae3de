/* No guard: ends what rec_struct.h or rec_table.h began. */
#undef REC_NONE
#undef REC_ROW
#undef REC_U8
#undef REC_U16
#undef REC_U32
#undef REC_U64
#undef REC_UUID
#undef REC_STR
#undef REC_SECRET
#undef REC_BLOB
